//! What listens on the twin: plain servers on real sockets, each doing one thing, so that what is seen is the kernel.

use std::{
    fs,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::Path,
    thread,
    time::Duration,
};

use chaff_lab::Namespace;

use super::port;

/// How long a server that leaves has waited.
pub const LEAVES_AFTER: Duration = Duration::from_secs(1);
/// What the server says that speaks first.
pub const SPEECH: usize = 20_000;

/// Ports of a decoy that does what the servers do, without what is said of all others; [`write_services`] makes the files.
pub const PORTS: &str = r#""7/tcp" = "echo", "7/udp" = "echo", "9/tcp" = "discard", "11/tcp" = "file:mute.toml",
    "13/tcp" = "file:leaver.toml", "17/tcp" = "file:closer.toml", "19/tcp" = "file:sayer.toml""#;

/// Writes the services that [`PORTS`] names beside a `chaff.toml`.
///
/// # Errors
/// When a file cannot be written.
pub fn write_services(folder: &Path) -> io::Result<()> {
    let services = [
        ("mute", "greeting-delay-ms = 3600000".to_owned()),
        ("leaver", format!("greeting-delay-ms = 3600000\nidle-timeout-s = {}", LEAVES_AFTER.as_secs())),
        ("closer", "otherwise = 'ok\\r\\n'\notherwise-closes = true".to_owned()),
        ("sayer", format!("greeting = '{}'", "x".repeat(SPEECH))),
    ];
    services.into_iter().try_for_each(|(name, kind)| {
        let head = format!("name = \"{name}\"\ntitle = \"For the battery\"\nsource = \"fitted: for this test\"");
        fs::write(folder.join(format!("{name}.toml")), format!("{head}\n[kind.banner]\n{kind}\n"))
    })
}

/// Starts all servers of [`port`] in a namespace; they live as long as the process.
///
/// # Errors
/// When a port is taken.
pub fn start(namespace: &Namespace) -> io::Result<()> {
    listen(namespace, port::ECHO, echo)?;
    listen(namespace, port::DISCARD, discard)?;
    listen(namespace, port::MUTE, |stream| hold(&stream))?;
    listen(namespace, port::LEAVER, |stream| {
        // The first octet is looked at, not read: the clock starts when the client speaks.
        let _ = stream.peek(&mut [0]);
        thread::sleep(LEAVES_AFTER);
        drop(stream);
    })?;
    listen(namespace, port::CLOSER, closer)?;
    listen(namespace, port::SAYER, |mut stream| {
        // The client may have gone: then there is nobody to tell.
        let _ = stream.write_all(&[b'x'; SPEECH]);
        discard(stream);
    })?;
    let socket =
        namespace.enter(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port::ECHO))).map_err(io::Error::other)??;
    thread::Builder::new().name("echo".into()).spawn(move || {
        let mut buffer = [0; 65_536];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            // Whoever does not hear it asks again.
            let _ = socket.send_to(&buffer[..length], from);
        }
    })?;
    Ok(())
}

fn listen(namespace: &Namespace, port: u16, serve: impl Fn(TcpStream) + Send + Copy + 'static) -> io::Result<()> {
    let at = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let listener = namespace.enter(|| TcpListener::bind(at)).map_err(io::Error::other)??;
    thread::Builder::new().name(format!("port {port}")).spawn(move || {
        for stream in listener.incoming().flatten() {
            // No thread, no service: the client sees a connection that is never served.
            let _ = thread::Builder::new().spawn(move || serve(stream));
        }
    })?;
    Ok(())
}

fn echo(mut stream: TcpStream) {
    let mut buffer = [0; 16_384];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..length]).is_err() {
            return;
        }
    }
}

fn discard(mut stream: TcpStream) {
    let mut buffer = [0; 16_384];
    while let Ok(1..) = stream.read(&mut buffer) {}
}

/// Keeps a connection open and never reads.
fn hold(stream: &TcpStream) {
    let _kept = stream;
    thread::sleep(Duration::from_secs(600));
}

fn closer(mut stream: TcpStream) {
    let mut buffer = [0; 256];
    if let Ok(1..) = stream.read(&mut buffer) {
        // The client may have gone: then there is nobody to tell.
        let _ = stream.write_all(b"ok\r\n");
    }
}
