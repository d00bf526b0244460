//! The doors of a decoy beside the real daemons: handshakes and requests a second, processor time of each, and memory of
//! a connection that is open and does nothing more.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use chaff_testkit::{
    load::{self, median},
    neighbourhood::{PREPARE, daemon, libraries},
    network::run,
    process::{Chaff, processor_ticks},
};

use crate::{ANSWER_CPU, Bench, LOAD_CPU, RUNS, fleet_of, heading, processors, row};

/// How long one try loads a door.
const SECONDS: u64 = 3;
/// Clients at a time; fewer than the ten at which sshd begins to turn connections away (`MaxStartups`).
const CLIENTS: usize = 4;
/// Connections whose memory is measured, spread over all decoys of the fleet.
const IDLE: usize = 1_000;
/// Decoys of the fleet: so many that each has fewer of these than the ten that sshd allows (`MaxStartups`).
const DECOYS: u32 = 128;
/// Where the real daemons listen.
const REAL: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 1);
/// Limit of a program that sets something up.
const PATIENCE: u64 = 60;
/// Ticks of the processor clock in a second, as the kernel counts for everybody (`USER_HZ`).
const TICKS: f64 = 100.0;

/// What loads a door, and how often it came through.
type Try = fn(&Bench, Ipv4Addr, Instant) -> u64;

const DOORS: [(&str, Try); 3] = [("SSH handshakes", ssh), ("HTTPS handshakes", https), ("HTTP requests", http)];

/// A rate, and processor time of one in milliseconds.
struct Figure {
    rate: f64,
    cost: f64,
}

/// Measures all doors.
pub(crate) fn doors(binary: &Path) {
    heading(
        &format!("Doors, /s, median of {RUNS} × {SECONDS} s, {CLIENTS} clients, one processor answering"),
        "ssh -oKexAlgorithms=curve25519-sha256 -oHostKeyAlgorithms=ssh-ed25519; openssl s_time -new; GET / kept alive; \
         sshd and nginx of Debian beside it",
    );
    let kernel = with_daemons(|bench, daemons| DOORS.map(|(_, load)| figure(bench, REAL, daemons, load)));
    let bench = Bench::new();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (chaff, targets) = fleet_of(binary, &bench, folder.path(), &config(), DECOYS);
    let ip = targets[0].ip;
    for ((name, load), kernel) in DOORS.into_iter().zip(kernel) {
        let ours = figure(&bench, ip, &[chaff.id()], load);
        let pair = |what: &str, ours: f64, kernel: f64, digits: usize| {
            let ratio = format!("{:.2}", ours / kernel);
            row(what, &format!("{ours:.digits$}"), &format!("{kernel:.digits$}"), &ratio);
        };
        pair(&format!("{name}, /s"), ours.rate, kernel.rate, 0);
        pair(&format!("{name}: processor time of one, ms"), ours.cost, kernel.cost, 3);
    }
    drop((chaff, bench));
    for (name, door) in
        [("SSH, keys exchanged", "ssh"), ("HTTPS, handshake done", "https"), ("HTTP, a page read", "http")]
    {
        // A fleet that has done nothing before: what was used and given back would be used again, and not be seen.
        let bench = Bench::new();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (chaff, targets) = fleet_of(binary, &bench, folder.path(), &config(), DECOYS);
        let ips: Vec<Ipv4Addr> = targets.iter().map(|target| target.ip).collect();
        let each = idle(&bench, &chaff, &ips, door);
        row(&format!("{name}: memory of one of {IDLE}"), &format!("{each:.2} KiB"), "", "");
    }
}

/// What one door does in several tries.
fn figure(bench: &Bench, ip: Ipv4Addr, answering: &[u32], load: Try) -> Figure {
    let ticks = || answering.iter().map(|id| processor_ticks(*id)).sum::<u64>();
    // Keys and certificates are made at the first question for them, and a page is read for the first time.
    load(bench, ip, Instant::now() + Duration::from_secs(1));
    let (mut rates, mut costs) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let (begun, before) = (Instant::now(), ticks());
        let done = load(bench, ip, begun + Duration::from_secs(SECONDS));
        let took = begun.elapsed().as_secs_f64();
        assert!(done > 0, "nobody came through at {ip}");
        rates.push(done as f64 / took);
        costs.push((ticks() - before) as f64 / TICKS * 1e3 / done as f64);
    }
    Figure { rate: median(&rates), cost: median(&costs) }
}

/// Runs clients side by side, all on the processor of the load, until the time is over; how often they came through.
fn clients(bench: &Bench, work: impl Fn() -> u64 + Sync) -> u64 {
    let all = || {
        load::pin(LOAD_CPU.min(processors().saturating_sub(1)));
        std::thread::scope(|scope| {
            let each: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(&work)).collect();
            each.into_iter().map(|client| client.join().expect("a client does not panic")).sum()
        })
    };
    bench.atk.enter(all).unwrap_or_else(|error| panic!("cannot enter the load's namespace: {error}"))
}

/// ssh(1) up to the first refusal, which comes after the whole key exchange.
fn ssh(bench: &Bench, ip: Ipv4Addr, end: Instant) -> u64 {
    let target = format!("nobody@{ip}");
    clients(bench, || {
        let mut done = 0;
        while Instant::now() < end {
            let mut command = Command::new("ssh");
            command.args(["-F/dev/null", "-oUserKnownHostsFile=/dev/null", "-oGlobalKnownHostsFile=/dev/null"]);
            command.args(["-oStrictHostKeyChecking=no", "-oPreferredAuthentications=none", "-oConnectTimeout=10"]);
            command.args(["-oKexAlgorithms=curve25519-sha256", "-oHostKeyAlgorithms=ssh-ed25519", &target]);
            let output = command.stdin(Stdio::null()).output().expect("ssh is installed");
            done += u64::from(String::from_utf8_lossy(&output.stderr).contains("Permission denied"));
        }
        done
    })
}

/// `openssl s_time`, which makes one new session after another for a number of whole seconds.
fn https(bench: &Bench, ip: Ipv4Addr, end: Instant) -> u64 {
    let seconds = (end - Instant::now()).as_secs_f64().round().max(1.0).to_string();
    let target = format!("{ip}:443");
    clients(bench, || {
        let mut command = Command::new("openssl");
        command.args(["s_time", "-new", "-connect", &target, "-time", &seconds]);
        let output = command.stdin(Stdio::null()).output().expect("openssl is installed");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let count = said.lines().find_map(|line| line.split(" connections in ").next()?.trim().parse().ok());
        count.unwrap_or_else(|| panic!("openssl s_time said: {said}{}", String::from_utf8_lossy(&output.stderr)))
    })
}

/// One request after the other on connections that are kept as long as the server keeps them.
fn http(bench: &Bench, ip: Ipv4Addr, end: Instant) -> u64 {
    clients(bench, || {
        let mut done = 0;
        while Instant::now() < end {
            let mut stream = TcpStream::connect((ip, 80)).expect("port 80 is open");
            stream.set_nodelay(true).expect("a fresh socket takes options");
            stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a fresh socket takes options");
            while Instant::now() < end && request(&mut stream, ip) {
                done += 1;
            }
        }
        done
    })
}

/// Asks for the front page; false where the server has closed.
fn request(stream: &mut TcpStream, ip: Ipv4Addr) -> bool {
    let asked = format!("GET / HTTP/1.1\r\nHost: {ip}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n");
    if stream.write_all(asked.as_bytes()).is_err() {
        return false;
    }
    let (mut answer, mut part) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut part) {
            Ok(0) | Err(_) => return false,
            Ok(length) => answer.extend_from_slice(&part[..length]),
        }
        if let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
            assert!(text.starts_with("http/1.1 200"), "{text}");
            let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
            let length: usize = length.unwrap_or_else(|| panic!("no length in {text}"));
            if answer.len() >= head + 4 + length {
                return true;
            }
        }
    }
}

/// KiB of all of Chaff's processes for each connection whose handshake is done and that says nothing more.
fn idle(bench: &Bench, chaff: &Chaff, ips: &[Ipv4Addr], door: &str) -> f64 {
    let mut command = bench.atk.command("/usr/bin/python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/bench/hold.py")).args([door, &IDLE.to_string()]);
    command.args(ips.iter().map(Ipv4Addr::to_string)).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = command.spawn().expect("python3 is installed");
    let (mut asks, said) = (holder.stdin.take().expect("it is piped"), holder.stdout.take().expect("it is piped"));
    let mut said = BufReader::new(said).lines();
    // What is needed once for each decoy, and not for each connection, has been made before.
    let [before, after] = ["warm", "held"].map(|word| {
        let line = said.next().and_then(Result::ok);
        assert_eq!(line.as_deref(), Some(word), "the holder of {door} failed");
        std::thread::sleep(Duration::from_secs(1));
        let memory = chaff.memory_kib();
        asks.write_all(b"\n").expect("the holder reads");
        memory
    });
    let ended = holder.wait().expect("the holder ends");
    assert!(ended.success(), "the holder of {door} failed");
    after.saturating_sub(before) as f64 / IDLE as f64
}

/// The fleet whose doors are measured.
fn config() -> String {
    let last = Ipv4Addr::from_bits(REAL.to_bits() + DECOYS - 1);
    format!(
        "[[network]]\nname = \"bench\"\ninterface = \"dut0\"\nsubnet = \"10.0.0.0/8\"\ngateway = \"10.0.0.1\"\n\
         [[network.decoys]]\nprofile = \"linux-server\"\naddresses = [\"{REAL}-{last}\"]\n\
         ports = {{ \"443/tcp\" = \"nginx-1.22.1-debian12-tls\" }}\n"
    )
}

/// Runs sshd and nginx of Debian, set up as the package does as far as the doors go, and hands over their ids.
fn with_daemons<T>(work: impl FnOnce(&Bench, &[u32]) -> T) -> T {
    let bench = Bench::new();
    bench.dut.link("dut0").address(&format!("{REAL}/8")).expect("dut0 is there");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (sshd, nginx) = (sshd(&bench, folder.path()), nginx(&bench, folder.path()));
    let mut daemons = [sshd, nginx];
    std::thread::sleep(Duration::from_secs(1));
    let outcome = work(&bench, &[daemons[0].id(), daemons[1].id()]);
    for daemon in &mut daemons {
        // Asked to end, so that nginx takes its workers along.
        let _ = Command::new("kill").arg(daemon.id().to_string()).status();
        let _ = daemon.wait();
    }
    outcome
}

fn sshd(bench: &Bench, folder: &Path) -> Child {
    let (key, settings) = (folder.join("hostkey"), folder.join("sshd_config"));
    run(&bench.dut, PATIENCE, "ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &key.to_string_lossy()]);
    let text = format!("HostKey {}\nUsePAM no\nPidFile none\nPort 22\n", key.display());
    fs::write(&settings, text).expect("the folder can be written");
    let script = format!("{PREPARE}exec {} -D -e -f {}", daemon("usr/sbin/sshd"), settings.display());
    pinned(bench, "unshare", &["--mount", "sh", "-c", &script], folder)
}

fn nginx(bench: &Bench, folder: &Path) -> Child {
    let name = |file: &str| folder.join(file).to_string_lossy().into_owned();
    let (key, certificate) = (name("key.pem"), name("certificate.pem"));
    let made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=bench", "-days", "9"];
    let made = [&made[..], &["-keyout", &key, "-out", &certificate]].concat();
    run(&bench.dut, PATIENCE, "openssl", &made);
    fs::write(folder.join("index.html"), "<html><body>It works</body></html>\n".repeat(18)).expect("it can be written");
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("{what}_temp_path {};", name(what)))
        .join("\n");
    let settings = format!(
        "daemon off; user root; worker_processes 1; pid {};\nevents {{ worker_connections 768; }}\n\
         http {{\n{temporary}\naccess_log off; keepalive_requests 1000;\nserver {{ listen 80; listen 443 ssl;\n\
         ssl_certificate {certificate}; ssl_certificate_key {key}; root {}; }} }}\n",
        name("nginx.pid"),
        folder.display()
    );
    fs::write(folder.join("nginx.conf"), settings).expect("the folder can be written");
    pinned(bench, &daemon("usr/sbin/nginx"), &["-c", &name("nginx.conf"), "-e", &name("nginx.log")], folder)
}

/// A daemon, on the processor that answers.
fn pinned(bench: &Bench, program: &str, words: &[&str], folder: &Path) -> Child {
    let log = fs::File::create(folder.join("daemon.log")).expect("the folder can be written");
    let mut command = bench.dut.command("taskset");
    command.args(["-c", ANSWER_CPU]).arg(program).args(words);
    command.env("LD_LIBRARY_PATH", libraries());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.spawn().unwrap_or_else(|error| panic!("cannot run {program}: {error}"))
}
