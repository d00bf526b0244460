//! `[[example]]` of a service file: dialogues that `chaff profiles check` plays with the service, as a decoy would. Where
//! the service speaks inside TLS, the dialogue is the one inside.

use std::{net::Ipv4Addr, ops::Range, sync::Arc};

use chaff_config::{Problem, Reader, SourceFile, Table};
use chaff_events::{Detail, Mac};
use chaff_services::{Account, Around, Context, Form, Identity, Opening, Output, ServiceSpec, Shared, open_inside};
use toml::{Spanned, de::DeValue};

/// Who the decoy of an example is.
const IDENTITY: Identity<'_> = Identity {
    hostname: "decoy",
    ip: std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    mac: Mac([0x00, 0x50, 0x56, 0x9a, 0x10, 0x07]),
    seed: [7; 16],
    serial: None,
};
/// Its planted account, name and password.
const PLANTED: &str = "planted";
/// 2026-01-01T00:00:00Z, the time of day of examples.
const UTC: u64 = 1_767_225_600_000_000_000;
/// Longest wait for an answer, nanoseconds of the example's own time: longer than any delay of an answer.
const PATIENCE: u64 = 65_000_000_000;
/// Outputs of one step at most; a service that never comes to rest is told of.
const MAX_OUTPUTS: usize = 100_000;

/// A dialogue.
#[derive(Clone, Debug)]
pub(crate) struct Example {
    name: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
struct Step {
    span: Range<usize>,
    send: Vec<u8>,
    expect: Option<Expected>,
    /// `NAME/PASSWORD`.
    credential: Option<String>,
    closes: bool,
}

#[derive(Clone, Debug)]
struct Expected {
    span: Range<usize>,
    octets: Vec<u8>,
}

/// Reads the examples of a file; `value` is its `example`.
pub(crate) fn read(reader: &mut Reader, value: Option<Spanned<DeValue<'_>>>) -> Vec<Example> {
    let Some(value) = value else { return Vec::new() };
    let span = value.span();
    let entries = [(Spanned::new(span.clone(), "example".into()), value)].into_iter().collect();
    let table = Table::of(entries, span, "the service");
    let examples = reader.tables(&table, "example", "an [[example]]");
    examples.iter().map(|example| one(reader, example)).collect()
}

fn one(reader: &mut Reader, table: &Table<'_>) -> Example {
    reader.keys(table, &["name", "steps"]);
    reader.missing(table, "steps", "write steps = [{ send = '…', expect = '…' }]");
    let name = reader.name(table, "name").map_or_else(|| "example".into(), |name| name.value);
    let steps = reader.tables(table, "steps", "a step");
    let steps = steps.iter().map(|step| {
        reader.keys(step, &["send", "expect", "credential", "closes"]);
        let [send, expect] = ["send", "expect"].map(|key| octets(reader, step, key));
        Step {
            span: step.span(),
            send: send.map_or_else(Vec::new, |send| send.octets),
            expect,
            credential: reader.text(step, "credential").map(|text| text.value),
            closes: reader.flag(step, "closes").is_some_and(|flag| flag.value),
        }
    });
    Example { name, steps: steps.collect() }
}

fn octets(reader: &mut Reader, step: &Table<'_>, key: &str) -> Option<Expected> {
    let text = reader.text(step, key)?;
    match Form::parse(&text) {
        Ok(form) => Some(Expected { octets: form.say(&IDENTITY), span: text.span }),
        Err(error) => {
            reader.wrong(text.span, error.message, "in this text", error.help);
            None
        }
    }
}

/// Plays the examples; what does not go as they say is told at its place.
pub(crate) fn play(source: &Arc<SourceFile>, spec: &ServiceSpec, examples: &[Example]) -> Vec<Problem> {
    examples.iter().filter_map(|example| play_one(source, spec, example).err()).collect()
}

fn play_one(source: &Arc<SourceFile>, spec: &ServiceSpec, example: &Example) -> Result<(), Problem> {
    let mut stage = Stage::new(spec);
    for step in &example.steps {
        let said = stage.step(step);
        let name = &example.name;
        let wrong = |span: &Range<usize>, message: String, help: String| {
            Problem::new(message).at(source, span.clone(), "here").help(help)
        };
        if said.restless {
            return Err(wrong(&step.span, format!("`{name}`: the service never comes to rest"), "end it".into()));
        }
        if let Some(expected) = step.expect.as_ref().filter(|expected| expected.octets != said.octets) {
            let message = format!("`{name}` does not go like this");
            let help = format!("the service says '{}'", said.octets.escape_ascii());
            return Err(wrong(&expected.span, message, help));
        }
        if let Some(credential) = &step.credential
            && !said.credentials.contains(credential)
        {
            let message = format!("`{name}`: the credential `{credential}` is not observed");
            let help = match said.credentials.as_slice() {
                [] => "none is: give a rule a `credential`".to_owned(),
                seen => format!("what is observed: {}", seen.join(", ")),
            };
            return Err(wrong(&step.span, message, help));
        }
        if step.closes != said.closed {
            let (what, help) = if step.closes {
                ("keeps the connection", "remove `closes = true`, or give the rule one")
            } else {
                ("closes the connection", "add `closes = true` to the step, or take it from the rule")
            };
            return Err(wrong(&step.span, format!("`{name}`: the service {what}"), help.into()));
        }
    }
    Ok(())
}

/// A service and the time of an example.
struct Stage {
    talk: Box<dyn chaff_services::Conversation>,
    shared: Shared,
    now: u64,
    wake: Option<u64>,
    closed: bool,
}

#[derive(Default)]
struct Said {
    octets: Vec<u8>,
    credentials: Vec<String>,
    closed: bool,
    restless: bool,
}

impl Stage {
    fn new(spec: &ServiceSpec) -> Self {
        let accounts: Arc<[Account]> = [Account { user: PLANTED.into(), password: PLANTED.into() }].into();
        let opening = Opening {
            identity: IDENTITY,
            now: 0,
            utc: UTC,
            chance: [7; 32],
            accounts: &accounts,
            around: Around::default(),
        };
        Self { talk: open_inside(spec, &opening), shared: Shared::default(), now: 0, wake: None, closed: false }
    }

    fn step(&mut self, step: &Step) -> Said {
        let (mut said, mut offered) = (Said::default(), 0);
        let wanted = step.expect.as_ref().map_or(0, |expected| expected.octets.len());
        let until = self.now.saturating_add(PATIENCE);
        for _ in 0..MAX_OUTPUTS {
            let cx = &mut Context { now: self.now, shared: &mut self.shared };
            match self.talk.poll(cx, 4096) {
                Some(Output::Send(octets)) => said.octets.extend(octets),
                Some(Output::Wake(at)) => self.wake = Some(at),
                Some(Output::Finish | Output::Close | Output::Reset) => self.closed = true,
                Some(Output::Observe(_, _, Detail::Credential { username, secret, .. })) => {
                    said.credentials.push(format!("{}/{}", username.escape_ascii(), secret.escape_ascii()));
                }
                Some(Output::Observe(..)) => {}
                None => {
                    let rest = step.send.get(offered..).unwrap_or(&[]);
                    let taken = if rest.is_empty() || self.closed { 0 } else { self.talk.handle_octets(cx, rest) };
                    offered += taken;
                    let waits =
                        said.octets.len() < wanted || (step.closes && !self.closed) || offered < step.send.len();
                    if taken > 0 {
                        continue;
                    }
                    match self.wake.filter(|&at| waits && !self.closed && at <= until) {
                        Some(at) => {
                            self.wake = None;
                            self.now = self.now.max(at);
                            self.talk.handle_wake(&mut Context { now: self.now, shared: &mut self.shared });
                        }
                        None => {
                            said.closed = self.closed;
                            return said;
                        }
                    }
                }
            }
        }
        said.restless = true;
        said
    }
}
