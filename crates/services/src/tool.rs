//! Tools that give themselves away by what they say. Only marks that a person or another program would hardly send by
//! chance are here; a wrong name in an alarm costs more than a missing one. (`JDWP-Handshake`, for one, is sent by every
//! debugger as well as by nmap.)

use chaff_events::Tool;

use crate::limits::message::MAX_LOOKED_AT;

/// How a mark lies in a message.
#[derive(Clone, Copy)]
enum At {
    /// The message is the mark.
    Whole,
    /// The message starts with it.
    Start,
    /// It stands anywhere.
    Within,
}

/// First messages, most specific first. All measured on a wire or read in the tool's own output.
const MARKS: &[(At, &[u8], Tool)] = &[
    // ssh clients
    (At::Start, b"SSH-2.0-Nmap", Tool::Nmap),
    (At::Start, b"SSH-1.5-Nmap", Tool::Nmap),
    (At::Start, b"SSH-2.0-MEDUSA_", Tool::Medusa),
    // ncrack ends its banner with LF alone; the OpenSSH of that version does not.
    (At::Start, b"SSH-2.0-OpenSSH_7.1\n", Tool::Ncrack),
    // hydra is the one widespread attack client on libssh; libssh2 and paramiko name themselves otherwise.
    (At::Start, b"SSH-2.0-libssh_", Tool::Hydra),
    (At::Start, b"SSH-1337-OpenSSH_9.0", Tool::Nuclei),
    // probes of nmap -sV
    (At::Whole, b"\r\n\r\n", Tool::Nmap),
    (At::Whole, b"HELP\r\n", Tool::Nmap),
    (At::Whole, b"OPTIONS / RTSP/1.0\r\n\r\n", Tool::Nmap),
    (At::Whole, b"\x01default\n", Tool::Nmap),
    (At::Within, b"/nice%20ports%2C/Tri%6Eity.txt%2ebak", Tool::Nmap),
    (At::Within, b"random1random2random3random4", Tool::Nmap),
    (At::Within, b"\x3f\x47\xd7\xf7\xba\x2c\xee\xea", Tool::Nmap),
    (At::Within, b"Cookie: mstshash=nmap", Tool::Nmap),
    (At::Within, b"Cookie: mstshash=NCRACK_USER", Tool::Ncrack),
    // scripts of nmap
    (At::Within, b"/nmaplowercheck", Tool::Nmap),
    (At::Within, b"/NmapUpperCheck", Tool::Nmap),
    (At::Within, b"/Nmap/folder/check", Tool::Nmap),
    // telnet options as hydra refuses them
    (At::Within, b"\xff\xfb\x22\xff\xfc\x18\xff\xfc\x20\xff\xfc\x23\xff\xfc\x27", Tool::Hydra),
    // searches for honeypots
    (At::Start, b"GET / HTTP/1337", Tool::Nuclei),
    (At::Start, b"AAAA / HTTP/1.1", Tool::Nuclei),
    // UDP
    (At::Whole, b"AAAAAAAAAAAAAAAA\r\n", Tool::Unicornscan),
];

/// Pieces of user agents, as the tools send them unless told otherwise.
const USER_AGENTS: &[(&str, Tool)] = &[
    ("Nmap Scripting Engine", Tool::Nmap),
    ("(Hydra", Tool::Hydra),
    ("Mozilla/1.22 (compatible; MSIE 10.0; Windows 3.1)", Tool::Medusa),
    ("masscan/", Tool::Masscan),
    ("zgrab/", Tool::Zgrab),
    ("gobuster/", Tool::Gobuster),
    ("Fuzz Faster U Fool", Tool::Ffuf),
    ("feroxbuster/", Tool::Feroxbuster),
    ("sqlmap/", Tool::Sqlmap),
    ("Greenbone OS", Tool::OpenVas),
    ("OpenVAS", Tool::OpenVas),
    ("Nikto/", Tool::Nikto),
    ("Nessus", Tool::Nessus),
    ("Nuclei", Tool::Nuclei),
    ("curl/", Tool::Curl),
];

/// The tool that the first octets of a conversation, or a datagram, give away.
#[must_use]
pub fn tool_of_payload(octets: &[u8]) -> Option<Tool> {
    let octets = octets.get(..MAX_LOOKED_AT).unwrap_or(octets);
    MARKS
        .iter()
        .find(|(at, mark, _)| match at {
            At::Whole => octets == *mark,
            At::Start => octets.starts_with(mark),
            At::Within => contains(octets, mark),
        })
        .map(|(_, _, tool)| *tool)
        .or_else(|| tool_of_shape(octets))
        .or_else(|| tool_of_user_agent(user_agent_of(octets)?))
}

/// The tool that a `User-Agent` names.
#[must_use]
pub fn tool_of_user_agent(agent: &[u8]) -> Option<Tool> {
    USER_AGENTS.iter().find(|(piece, _)| contains(agent, piece.as_bytes())).map(|(_, tool)| *tool)
}

/// Marks that are not a run of octets.
fn tool_of_shape(octets: &[u8]) -> Option<Tool> {
    // The UDP probe of nmap -O.
    if octets.len() == 300 && octets.iter().all(|&octet| octet == b'C') {
        return Some(Tool::Nmap);
    }
    // SIP OPTIONS of nmap -sV.
    if octets.starts_with(b"OPTIONS sip:") && contains(octets, b";branch=foo") {
        return Some(Tool::Nmap);
    }
    smb_tool(octets.get(4..)?)
}

/// SMB after its four octets of length.
fn smb_tool(message: &[u8]) -> Option<Tool> {
    if message.starts_with(b"\xffSMB") {
        // nmap -sV: the negotiate request of process 0x0640 (at offset 26, little-endian).
        let negotiate = message.starts_with(b"\xffSMBr") && message.get(26..28) == Some(&[0x40, 0x06]);
        // nmap's scripts: the name of the client's system in a session setup.
        let setup = message.starts_with(b"\xffSMBs") && contains(message, b"Nmap\0");
        return (negotiate || setup).then_some(Tool::Nmap);
    }
    // nmap's scripts: signature and client GUID of an SMB2 negotiate request.
    (message.starts_with(b"\xfeSMB") && contains(message, b"1234567890123456")).then_some(Tool::Nmap)
}

/// The value of the first `User-Agent` line of something that looks like an HTTP request.
fn user_agent_of(octets: &[u8]) -> Option<&[u8]> {
    let mut lines = octets.split(|&octet| octet == b'\n');
    if !contains(lines.next()?, b" HTTP/") {
        return None;
    }
    const NAME: &[u8] = b"user-agent:";
    lines
        .find(|line| line.get(..NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(NAME)))
        .and_then(|line| line.get(NAME.len()..))
}

fn contains(octets: &[u8], piece: &[u8]) -> bool {
    let Some(first) = piece.first() else { return true };
    let mut rest = octets;
    while let Some(at) = rest.iter().position(|octet| octet == first) {
        let Some(from) = rest.get(at..) else { return false };
        if from.starts_with(piece) {
            return true;
        }
        rest = from.get(1..).unwrap_or(&[]);
    }
    false
}

#[cfg(test)]
mod tests;
