//! TLS before real clients, and beside the real servers that it claims to be.

mod server;

use std::{
    process::{Command, Stdio},
    sync::Arc,
};

use chaff_services::{HttpPage, HttpSpec, ServiceKind, ServiceSpec, TlsSpec};
use server::Server;

const NGINX: &str = include_str!("../../../profiles/tls/openssl-3.0-nginx.toml");

fn https(spec: &str) -> Server {
    let page = HttpPage { path: "/".into(), body: "<h1>{hostname}</h1>\n".repeat(2000), ..HttpPage::default() };
    let http = HttpSpec { server: "nginx/1.22.1".into(), pages: vec![page], ..HttpSpec::default() };
    let tls: TlsSpec = toml::from_str(spec).unwrap();
    let kind = ServiceKind::Http(Arc::new(http));
    Server::with(ServiceSpec { tls: Some(Arc::new(tls)), ..ServiceSpec::new("https", kind) }, &[])
}

fn run(program: &str, words: &[&str]) -> (bool, String) {
    let output = Command::new(program).args(words).stdin(Stdio::null()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn curl_reads_a_page_over_either_version() {
    let server = https(NGINX);
    let url = format!("https://127.0.0.1:{}/", server.port);
    for version in [&["--tlsv1.3"][..], &["--tlsv1.2", "--tls-max", "1.2"]] {
        let words = [&["-sSk", "--http1.1", "--max-time", "20", &url], version].concat();
        let (done, said) = run("curl", &words);
        assert!(done && said.len() == 2000 * "<h1>nav-1</h1>\n".len(), "{version:?}: {}", &said[..said.len().min(500)]);
    }
}
