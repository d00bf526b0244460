//! Authentication (RFC 4252, RFC 4256): every attempt is told of, and none succeeds but that of a planted account.

use alloc::{format, string::String, sync::Arc, vec::Vec};

use chaff_events::Detail;
use sha2::{Digest, Sha256};

use super::{
    spec::SshSpec,
    transport::{End, fill},
    wire::{Put, Reader, message},
};
use crate::{Account, limits::ssh::MAX_KIND, message::secret_of};

const USERAUTH: &[u8] = b"ssh-userauth";
/// Requests after which OpenSSH gives up whatever they were.
const MAX_REQUESTS: u32 = 1024;
/// Answers that are read of one INFO_RESPONSE, as many as OpenSSH asks questions at most.
const MAX_RESPONSES: u32 = 100;
/// Asked when the product names nothing else.
const PROMPT: &str = "Password: ";

/// How far the client has come.
#[derive(Debug, Default)]
pub(crate) struct Auth {
    serves: bool,
    user: Vec<u8>,
    service: Vec<u8>,
    requests: u32,
    failures: u32,
    asked: bool,
    admitted: bool,
}

/// Who came where: what a request does not say itself.
pub(crate) struct Visit<'a> {
    /// Accounts that are let in.
    pub(crate) accounts: &'a Arc<[Account]>,
    /// The client's version line.
    pub(crate) client: &'a [u8],
    /// The decoy's name.
    pub(crate) hostname: &'a str,
}

/// What to do about a message.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    /// Send these, now.
    Send(Vec<Vec<u8>>),
    /// Refuse, after a while.
    Refuse(Wait),
    /// Let the client in.
    Admit,
    /// The message has no place here.
    Unimplemented,
    /// End the connection.
    End(End),
}

/// How long a refusal takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// As for a password.
    Password,
    /// As for anything else.
    Other,
}

/// What an attempt showed: kind of the secret, and the secret.
struct Attempt {
    kind: &'static str,
    secret: Vec<u8>,
}

impl Auth {
    pub(crate) fn is_admitted(&self) -> bool {
        self.admitted
    }

    /// Whether an attempt was refused.
    pub(crate) fn has_failed(&self) -> bool {
        self.failures > 0
    }

    pub(crate) fn user(&self) -> &[u8] {
        &self.user
    }

    /// Tells of a question that the client asked for and will not answer any more: an attempt without a secret.
    pub(crate) fn tell_unanswered(&mut self, client: &[u8], told: &mut dyn FnMut(Detail)) {
        if core::mem::take(&mut self.asked) {
            told(secret_of(QUESTIONS, &self.user, b"", client, false));
        }
    }

    /// Handles a message; `told` takes what is to be observed.
    pub(crate) fn handle(
        &mut self,
        spec: &SshSpec,
        visit: &Visit<'_>,
        payload: &[u8],
        told: &mut dyn FnMut(Detail),
    ) -> Answer {
        let mut reader = Reader::new(payload);
        match reader.byte() {
            Some(message::SERVICE_REQUEST) => self.handle_service(spec, reader),
            Some(message::USERAUTH_REQUEST) if self.admitted => Answer::Send(Vec::new()),
            Some(message::USERAUTH_REQUEST) if self.serves => {
                self.handle_request(spec, visit, reader, told).unwrap_or(Answer::End(End::Quietly))
            }
            Some(message::USERAUTH_INFO_RESPONSE) if self.asked => {
                self.handle_responses(visit, reader, told).unwrap_or(Answer::End(End::Quietly))
            }
            _ => Answer::Unimplemented,
        }
    }

    /// The refusal of the attempt before, when its time has come.
    pub(crate) fn refuse(&self, spec: &SshSpec) -> Result<Vec<u8>, End> {
        if self.failures >= spec.max_auth_tries() || self.requests > MAX_REQUESTS {
            return Err(End::with(&spec.answers.too_many_failures, &[("user", &self.user)]));
        }
        let mut payload = alloc::vec![message::USERAUTH_FAILURE];
        payload.put_names(&spec.auth_methods);
        payload.push(0);
        Ok(payload)
    }

    fn handle_service(&mut self, spec: &SshSpec, mut reader: Reader<'_>) -> Answer {
        let Some(service) = reader.text().filter(|_| reader.is_empty()) else { return Answer::End(End::Quietly) };
        if service != USERAUTH {
            return Answer::End(End::with(&spec.answers.bad_service, &[("service", service)]));
        }
        self.serves = true;
        let mut payload = alloc::vec![message::SERVICE_ACCEPT];
        payload.put_string(service);
        Answer::Send(alloc::vec![payload])
    }

    fn handle_request(
        &mut self,
        spec: &SshSpec,
        visit: &Visit<'_>,
        mut reader: Reader<'_>,
        told: &mut dyn FnMut(Detail),
    ) -> Option<Answer> {
        let user = reader.string()?;
        let service = reader.string()?;
        let method = reader.string()?;
        self.tell_unanswered(visit.client, told);
        let attempt = attempt(method, reader);
        let offered = spec.auth_methods.iter().any(|known| known.as_bytes() == plain(method));
        // What a server cannot read is still evidence of what was tried.
        let readable = ![user, service, method].iter().any(|text| text.contains(&0));
        let changes = self.requests > 0 && (self.user != user || self.service != service);
        let asks = offered && readable && !changes && method == QUESTIONS.as_bytes();
        let mut accepted = false;
        // Of a question that is asked it is the answer that is told.
        if let Some(Attempt { kind, secret }) = attempt.as_ref().map(|(attempt, _)| attempt).filter(|_| !asks) {
            accepted = readable
                && offered
                && *kind == "password"
                && (self.requests == 0 || self.user == user)
                && !secret.contains(&0)
                && Account::admits(visit.accounts, user, secret);
            told(secret_of(kind, user, secret, visit.client, accepted));
        }
        if !readable {
            return None;
        }
        if self.requests == 0 {
            self.user = user.to_vec();
            self.service = service.to_vec();
        } else if changes {
            let values: [(&str, &[u8]); 4] =
                [("old_user", &self.user), ("old_service", &self.service), ("user", user), ("service", service)];
            return Some(Answer::End(End::with(&spec.answers.change_of_user, &values)));
        }
        self.requests = self.requests.saturating_add(1);
        if plain(method) == b"none" {
            if self.requests > 1 || spec.none_counts {
                self.failures = self.failures.saturating_add(1);
            }
            return Some(Answer::Refuse(Wait::Other));
        }
        if asks {
            self.asked = true;
            return Some(Answer::Send(alloc::vec![self.question(spec, visit.hostname)]));
        }
        if offered && !attempt.as_ref().is_some_and(|(_, whole)| *whole) {
            return None;
        }
        if accepted {
            self.admitted = true;
            return Some(Answer::Admit);
        }
        self.failures = self.failures.saturating_add(1);
        let wait = if offered && method == b"password" { Wait::Password } else { Wait::Other };
        Some(Answer::Refuse(wait))
    }

    fn question(&self, spec: &SshSpec, hostname: &str) -> Vec<u8> {
        let mut payload = alloc::vec![message::USERAUTH_INFO_REQUEST];
        for _ in ["name", "instruction", "language"] {
            payload.put_string(b"");
        }
        payload.put_u32(u32::try_from(spec.prompts.len().max(1)).unwrap_or(1));
        let asked = spec.prompts.iter().map(String::as_str).chain(spec.prompts.is_empty().then_some(PROMPT));
        for prompt in asked {
            payload.put_string(&fill(prompt, &[("hostname", hostname.as_bytes()), ("user", &self.user)]));
            payload.push(0);
        }
        payload
    }

    fn handle_responses(
        &mut self,
        visit: &Visit<'_>,
        mut reader: Reader<'_>,
        told: &mut dyn FnMut(Detail),
    ) -> Option<Answer> {
        self.asked = false;
        let count = reader.u32().filter(|count| *count <= MAX_RESPONSES)?;
        let mut responses = Vec::new();
        for _ in 0..count {
            responses.push(reader.string()?);
        }
        let accepted = matches!(responses.as_slice(), [only] if Account::admits(visit.accounts, &self.user, only));
        for response in &responses {
            told(secret_of(QUESTIONS, &self.user, response, visit.client, accepted));
        }
        if accepted {
            self.admitted = true;
            return Some(Answer::Admit);
        }
        self.failures = self.failures.saturating_add(1);
        Some(Answer::Refuse(Wait::Password))
    }
}

/// A name without the mark of the variant that binds the host key (PROTOCOL of OpenSSH, 3.2).
fn plain(method: &[u8]) -> &[u8] {
    if method == HOST_BOUND { b"publickey" } else { method }
}

const QUESTIONS: &str = "keyboard-interactive";
const HOST_BOUND: &[u8] = b"publickey-hostbound-v00@openssh.com";

/// What an attempt shows, and whether its message is whole. An attempt by which nothing is shown has no secret. `None`: its
/// message ends before what it shows.
fn attempt(method: &[u8], mut reader: Reader<'_>) -> Option<(Attempt, bool)> {
    match plain(method) {
        b"password" => {
            let changes = reader.boolean()?;
            let secret = reader.string()?;
            let whole = (!changes || reader.text().is_some()) && reader.is_empty() && !secret.contains(&0);
            Some((Attempt { kind: "password", secret: secret.to_vec() }, whole))
        }
        b"publickey" => {
            let signed = reader.boolean()?;
            let algorithm = reader.text()?;
            let blob = reader.string()?;
            let bound = method != HOST_BOUND || reader.string().is_some();
            let whole = bound && (!signed || reader.string().is_some()) && reader.is_empty();
            Some((Attempt { kind: "publickey", secret: fingerprint(algorithm, blob) }, whole))
        }
        // RFC 4252 §9: names of host and user follow, and a signature.
        b"hostbased" => {
            let algorithm = reader.text()?;
            let blob = reader.string()?;
            Some((Attempt { kind: "hostbased", secret: fingerprint(algorithm, blob) }, true))
        }
        b"none" => Some((Attempt { kind: Detail::NOTHING, secret: Vec::new() }, true)),
        b"keyboard-interactive" => Some((Attempt { kind: QUESTIONS, secret: Vec::new() }, true)),
        b"gssapi-with-mic" => Some((Attempt { kind: "gssapi-with-mic", secret: Vec::new() }, true)),
        _ => Some((Attempt { kind: "other", secret: Vec::new() }, true)),
    }
}

/// As `ssh-keygen -l` prints it, after the kind of the key.
fn fingerprint(algorithm: &[u8], blob: &[u8]) -> Vec<u8> {
    let kind = Reader::new(blob).string().unwrap_or(algorithm);
    let mut out = kind.get(..MAX_KIND).unwrap_or(kind).to_vec();
    out.extend_from_slice(format!(" SHA256:{}", base64(&Sha256::digest(blob))).as_bytes());
    out
}

/// RFC 4648 §4, without padding.
fn base64(octets: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in octets.chunks(3) {
        let bits = group.iter().fold(0u32, |bits, &octet| bits << 8 | u32::from(octet)) << (8 * (3 - group.len()));
        for place in 0..=group.len() {
            let letter = usize::try_from(bits >> (18 - 6 * place) & 63).unwrap_or(0);
            out.push(char::from(LETTERS.get(letter).copied().unwrap_or(b'A')));
        }
    }
    out
}
