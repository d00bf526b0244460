//! The ordinary life of a LAN, made by the real daemons: mDNS, DHCP, LLDP and NetBIOS. Each runs in a host's network
//! namespace and a mount namespace of its own, so that it finds users, folders and sockets of its own and leaves
//! nothing behind.

use std::{
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use chaff_lab::Namespace;

/// One daemon at work; it is ended when this is dropped.
#[derive(Debug)]
pub struct Daemon(Child);

/// What can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// avahi: probes and announces a host name, answers and asks.
    Mdns,
    /// dnsmasq: leases addresses of 10.0.0.100 to 10.0.0.150.
    DhcpServer,
    /// dhclient, one lease after another.
    DhcpClient,
    /// lldpd, a frame every three seconds instead of every thirty.
    Lldp,
    /// nmbd: registers names, holds elections, announces itself.
    Netbios,
}

impl Kind {
    fn script(self, interface: &str) -> String {
        match self {
            Self::Mdns => format!(
                "printf '[server]\\nhost-name=desk-7\\nuse-ipv6=no\\nenable-dbus=no\\nallow-interfaces={interface}\\n\
                 [publish]\\npublish-workstation=yes\\n' > /run/avahi.conf\n\
                 while :; do timeout 20 {} --file=/run/avahi.conf --no-drop-root --no-chroot --no-rlimits; sleep 1; done",
                daemon("usr/sbin/avahi-daemon")
            ),
            Self::DhcpServer => format!(
                "exec {} --no-daemon --conf-file=/dev/null --interface={interface} --bind-interfaces --port=0 --user=root \
                 --dhcp-range=10.0.0.100,10.0.0.150,2m --dhcp-leasefile=/run/leases",
                daemon("usr/sbin/dnsmasq")
            ),
            Self::DhcpClient => format!(
                "while :; do timeout 6 {} -d -1 -sf /bin/true -lf /run/dh.leases -pf /run/dh.pid {interface}; done",
                daemon("sbin/dhclient")
            ),
            Self::Lldp => format!(
                "{} -d -I {interface} -u /run/lldpd.socket -L /bin/true &\n\
                 until {cli} -u /run/lldpd.socket configure lldp tx-interval 3; do sleep 0.3; done\n\
                 {cli} -u /run/lldpd.socket resume\nwait",
                daemon("usr/sbin/lldpd"),
                cli = daemon("usr/sbin/lldpcli")
            ),
            Self::Netbios => {
                let folders = ["private dir", "lock directory", "state directory", "cache directory", "pid directory"];
                let folders: String = folders.iter().map(|name| format!("{name} = /run/samba\\n")).collect();
                format!(
                    "printf '[global]\\nnetbios name = FILER\\nworkgroup = OFFICE\\ninterfaces = {interface}\\n\
                     bind interfaces only = yes\\nlocal master = yes\\npreferred master = yes\\n{folders}' > /run/smb.conf\n\
                     while :; do timeout 20 {} --foreground --no-process-group --log-basename=/run/samba \
                     --configfile=/run/smb.conf; sleep 1; done",
                    daemon("usr/sbin/nmbd")
                )
            }
        }
    }
}

/// Lines of a shell in a mount namespace: a `/run` of its own, and the users that the daemons insist on.
pub const PREPARE: &str = "\
mount -t tmpfs tmpfs /run
mkdir -p /run/avahi-daemon /run/lldpd /run/samba /run/sshd
for f in passwd group; do cp /etc/$f /run/$f; done
for u in avahi _lldpd sshd; do
  grep -q \"^$u:\" /run/passwd || echo \"$u:x:0:0::/:/bin/false\" >> /run/passwd
  grep -q \"^$u:\" /run/group || echo \"$u:x:0:\" >> /run/group
done
mount --bind /run/passwd /etc/passwd
mount --bind /run/group /etc/group
";

impl Daemon {
    /// Starts `kind` on `interface` of `host`.
    ///
    /// # Panics
    /// When the daemon is not there; the message says how to get it.
    #[must_use]
    pub fn start(host: &Namespace, interface: &str, kind: Kind) -> Self {
        let mut command = host.command("unshare");
        // A process namespace: whatever the script starts ends with it.
        command.args(["--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "sh", "-c"]);
        command.arg(format!("{PREPARE}{}", kind.script(interface)));
        command.env("LD_LIBRARY_PATH", libraries());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap_or_else(|error| panic!("cannot run unshare: {error}")))
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where `cargo xtask tools` unpacks what is not installed.
fn unpacked() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools")
}

/// The program `file` of a daemon's package, unpacked or installed.
///
/// # Panics
/// When it is not there; the message says how to get it.
#[must_use]
pub fn daemon(file: &str) -> String {
    let places = [unpacked().join(file), Path::new("/").join(file)];
    let found = places.iter().find(|path| path.exists());
    found.unwrap_or_else(|| panic!("/{file} is not there: run `cargo xtask tools`")).display().to_string()
}

/// Folders with the libraries of what was unpacked, as `LD_LIBRARY_PATH` has them.
#[must_use]
pub fn libraries() -> String {
    let folders = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu/samba"];
    folders.map(|folder| unpacked().join(folder).display().to_string()).join(":")
}
