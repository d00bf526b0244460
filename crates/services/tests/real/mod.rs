//! Real web servers on the loopback address, from Debian's packages, each until it is dropped.
// Each test program uses a part of this.
#![allow(dead_code)]

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, UNIX_EPOCH},
};

use super::{
    daemon::{Daemon, make_certificate, nginx_alone, packaged},
    table::{MODIFIED, SHEET},
};

/// nginx with the lines of Debian's `nginx.conf` and `sites-available/default` that an answer depends on.
pub(crate) fn nginx(page: &str) -> Daemon {
    nginx_with("", page)
}

/// The same over TLS, with `http2`, as its manual writes it.
pub(crate) fn nginx_http2(page: &str) -> Daemon {
    nginx_with(" ssl http2", page)
}

fn nginx_with(listening: &str, page: &str) -> Daemon {
    start("index.nginx-debian.html", page, |folder, port| {
        let path = folder.display();
        let secure = if listening.is_empty() {
            String::new()
        } else {
            make_certificate(Command::new("openssl"), folder);
            format!("ssl_certificate {path}/cert; ssl_certificate_key {path}/key; ssl_protocols TLSv1.2 TLSv1.3;")
        };
        let text = format!(
            "{} sendfile on; tcp_nopush on; gzip on; {secure}\n\
             types {{ text/html html; text/css css; }} default_type application/octet-stream;\n\
             server {{ listen 127.0.0.1:{port}{listening} default_server; root {path}/html; server_name _;\n\
             index index.html index.htm index.nginx-debian.html;\n\
             location / {{ try_files $uri $uri/ =404; }} }} }}\n",
            nginx_alone(folder)
        );
        fs::write(folder.join("conf"), text).unwrap();
        let mut command = Command::new(packaged("usr/sbin/nginx"));
        command.arg("-p").arg(folder).arg("-c").arg(folder.join("conf"));
        command
    })
}

/// Apache with the lines of Debian's configuration that an answer depends on, and its modules.
pub(crate) fn apache(page: &str) -> Daemon {
    apache_with(false, page)
}

/// The same over TLS, with Debian's ssl.conf and http2.conf.
pub(crate) fn apache_http2(page: &str) -> Daemon {
    apache_with(true, page)
}

fn apache_with(secure: bool, page: &str) -> Daemon {
    start("index.html", page, |folder, port| {
        let path = folder.display();
        let lines = if secure {
            make_certificate(Command::new("openssl"), folder);
            format!(
                "ServerName nav-1\nProtocols h2 h2c http/1.1\nSSLEngine on\nSSLCipherSuite HIGH:!aNULL\n\
                 SSLProtocol all -SSLv3\nSSLSessionTickets off\nSSLCertificateFile {path}/cert\n\
                 SSLCertificateKeyFile {path}/key\n"
            )
        } else {
            String::new()
        };
        let modules: String = [
            "mpm_event",
            "access_compat",
            "alias",
            "authn_core",
            "authz_core",
            "authz_host",
            "deflate",
            "dir",
            "env",
            "filter",
            "mime",
            "negotiation",
            "reqtimeout",
            "setenvif",
            "ssl",
            "http2",
        ]
        .iter()
        .take(if secure { 16 } else { 14 })
        .map(|name| {
            let file = packaged(&format!("usr/lib/apache2/modules/mod_{name}.so"));
            format!("LoadModule {name}_module {}\n", file.display())
        })
        .collect();
        let text = format!(
            "ServerRoot {path}\nDefaultRuntimeDir {path}\nPidFile {path}/pid\nMutex file:{path} default\n\
             Timeout 300\nKeepAlive On\nMaxKeepAliveRequests 100\nKeepAliveTimeout 5\nErrorLog {path}/log\n\
             User www-data\nGroup www-data\n{modules}\
             AddOutputFilterByType DEFLATE text/html text/plain text/xml text/css text/javascript\n\
             TypesConfig {path}/types\nDirectoryIndex index.html\nRequestReadTimeout header=20-40,minrate=500\n\
             RequestReadTimeout body=10,minrate=500\nServerTokens OS\nServerSignature On\nTraceEnable Off\n\
             Listen 127.0.0.1:{port}\n<Directory />\nOptions FollowSymLinks\nAllowOverride None\n\
             Require all denied\n</Directory>\n<Directory {path}/html>\nOptions FollowSymLinks\n\
             AllowOverride None\nRequire all granted\n</Directory>\n<FilesMatch \"^\\.ht\">\n\
             Require all denied\n</FilesMatch>\n<Location /server-status>\nRequire all denied\n</Location>\n\
             <VirtualHost *:{port}>\nServerAdmin webmaster@localhost\nDocumentRoot {path}/html\n{lines}</VirtualHost>\n"
        );
        fs::write(folder.join("types"), "text/html html\ntext/css css\n").unwrap();
        fs::write(folder.join("conf"), text).unwrap();
        let mut command = Command::new(packaged("usr/sbin/apache2"));
        command.arg("-f").arg(folder.join("conf")).arg("-DFOREGROUND");
        command
    })
}

/// lighttpd with Debian's `lighttpd.conf`, whose lines are in the order of that file.
pub(crate) fn lighttpd(page: &str) -> Daemon {
    lighttpd_with(false, page)
}

/// The same over TLS, with Debian's 10-ssl.conf.
pub(crate) fn lighttpd_tls(page: &str) -> Daemon {
    lighttpd_with(true, page)
}

fn lighttpd_with(secure: bool, page: &str) -> Daemon {
    start("index.lighttpd.html", page, |folder, port| {
        let path = folder.display();
        let lines = if secure {
            make_certificate(Command::new("openssl"), folder);
            format!(
                "server.modules += ( \"mod_openssl\" )\nssl.engine = \"enable\"\n\
                 ssl.pemfile = \"{path}/cert\"\nssl.privkey = \"{path}/key\"\n"
            )
        } else {
            String::new()
        };
        let text = format!(
            "server.modules = ( \"mod_indexfile\", \"mod_access\", \"mod_alias\", \"mod_redirect\" )\n\
             server.document-root = \"{path}/html\"\nserver.upload-dirs = ( \"{path}\" )\n\
             server.errorlog = \"{path}/log\"\nserver.port = {port}\nserver.bind = \"127.0.0.1\"\n\
             server.feature-flags += (\"server.h2proto\" => \"enable\")\n\
             server.feature-flags += (\"server.h2c\" => \"enable\")\nserver.http-parseopts = (\n\
             \"header-strict\" => \"enable\", \"host-strict\" => \"enable\", \"host-normalize\" => \"enable\",\n\
             \"url-normalize-unreserved\" => \"enable\", \"url-normalize-required\" => \"enable\",\n\
             \"url-ctrls-reject\" => \"enable\", \"url-path-2f-decode\" => \"enable\",\n\
             \"url-path-dotseg-remove\" => \"enable\" )\n\
             index-file.names = ( \"index.php\", \"index.html\", \"index.lighttpd.html\" )\n\
             url.access-deny = ( \"~\", \".inc\" )\n\
             mimetype.assign = ( \".html\" => \"text/html\", \".css\" => \"text/css\" )\n\
             static-file.exclude-extensions = ( \".php\", \".pl\", \".fcgi\" )\n\
             {lines}server.modules += ( \"mod_dirlisting\", \"mod_staticfile\" )\n"
        );
        fs::write(folder.join("conf"), text).unwrap();
        let mut command = Command::new(packaged("usr/sbin/lighttpd"));
        command.arg("-D").arg("-f").arg(folder.join("conf")).arg("-m").arg(packaged("usr/lib/lighttpd"));
        command
    })
}

fn start(index: &str, page: &str, command: impl FnOnce(&Path, u16) -> Command) -> Daemon {
    Daemon::start(|folder, port| {
        let assets = folder.join("html/assets");
        fs::create_dir_all(&assets).unwrap();
        for (file, text) in [(folder.join("html").join(index), page), (assets.join("site.css"), SHEET)] {
            fs::write(&file, text).unwrap();
            let written = UNIX_EPOCH + Duration::from_secs(MODIFIED);
            fs::File::options().write(true).open(&file).unwrap().set_modified(written).unwrap();
        }
        command(folder, port)
    })
}
