//! What a group of decoys is: names resolved, ports laid over one another, everything that many groups share kept once.

use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc};

use chaff_config::{Config, Decoys, Located, PortChange, PortValue, Problem, SourceFile, Transport};
use chaff_engine::{
    personality::Personality,
    spec::{Port, PortTable, ProfileSpec},
};
use chaff_services::{Account, ServiceSpec};

use crate::{
    catalogue::Folder,
    coherence::{self, Claim},
    device::Device,
    hostname::Pattern,
    loader::{Mention, open},
    port_table::Layers,
    service::Service,
    system,
};

/// A service as a group names it: its file and the revision that is pinned, if any.
type Named = (Rc<Service>, Option<usize>);

/// Resolves groups.
pub(super) struct Groups<'c> {
    config: &'c Config,
    problems: Vec<Problem>,
    devices: HashMap<String, Option<Rc<Device>>>,
    systems: HashMap<String, Option<Rc<Personality>>>,
    /// By what lines say: a reference, perhaps with a revision.
    services: HashMap<String, Option<Named>>,
    service_files: HashMap<String, Option<Rc<Service>>>,
    kinds: HashMap<String, Option<Rc<Kind>>>,
    compiled: Compiled,
    service_index: HashMap<(String, usize), u16>,
    profile_index: HashMap<String, u16>,
    overflowed: bool,
}

/// What the groups of a fleet share.
#[derive(Default)]
pub(super) struct Compiled {
    pub(super) personalities: Vec<Personality>,
    pub(super) services: Vec<ServiceSpec>,
    pub(super) profiles: Vec<ProfileSpec>,
}

/// What the decoys of a group are.
pub(super) struct Kind {
    pub(super) device: Rc<Device>,
    pub(super) hostname: Option<Pattern>,
    accounts: Arc<[Account]>,
    serial: Option<Box<str>>,
    personality: u16,
    tables: [Vec<(u16, u16, Behind)>; 2],
    defaults: [Behind; 2],
    /// Services of several revisions, each of whose decoys draws one.
    pub(super) drawn: Vec<Rc<Service>>,
    made: RefCell<HashMap<u64, u16>>,
}

/// What is behind a port, the revision perhaps still to be drawn.
#[derive(Clone, Copy)]
enum Behind {
    Fixed(Port),
    /// One of the revisions of the service at this place of [`Kind::drawn`].
    Drawn(usize),
}

/// All that is wrong with the groups of a configuration that has mistakes of its own already.
pub(super) fn resolve_all(config: &Config) -> Vec<Problem> {
    let mut groups = Groups::new(config);
    for group in config.networks.iter().flat_map(|n| &n.decoys) {
        groups.resolve(group);
    }
    groups.problems
}

impl<'c> Groups<'c> {
    pub(super) fn new(config: &'c Config) -> Self {
        Self {
            config,
            problems: Vec::new(),
            devices: HashMap::new(),
            systems: HashMap::new(),
            services: HashMap::new(),
            service_files: HashMap::new(),
            kinds: HashMap::new(),
            compiled: Compiled::default(),
            service_index: HashMap::new(),
            profile_index: HashMap::new(),
            overflowed: false,
        }
    }

    pub(super) fn finish(self) -> (Compiled, Vec<Problem>) {
        (self.compiled, self.problems)
    }

    pub(super) fn source(&self) -> &'c Arc<SourceFile> {
        &self.config.source
    }

    pub(super) fn note(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// What the group is; groups that say the same share one answer. `None`: something was noted.
    pub(super) fn resolve(&mut self, group: &'c Decoys) -> Option<Rc<Kind>> {
        let key = signature(group);
        if let Some(kind) = self.kinds.get(&key) {
            return kind.clone();
        }
        let kind = self.kind(group).map(Rc::new);
        self.kinds.insert(key, kind.clone());
        kind
    }

    fn kind(&mut self, group: &'c Decoys) -> Option<Kind> {
        if group.profile.is_empty() {
            return None;
        }
        let hostname = self.hostname(group);
        let source = &self.config.source;
        // Every name is looked up before any is missed, so that all that are wrong are told at once.
        for change in &group.ports {
            self.service(change, source);
        }
        let device = self.device(group);
        let personality = match (&group.personality, &device) {
            (Some(name), _) => self.system(name, source),
            (None, Some(device)) => self.system(&device.personality, &device.source),
            (None, None) => None,
        };
        let device = device?;
        let mut draft = Draft { groups: self, drawn: Vec::new(), used: Vec::new(), group };
        let [tcp, udp] = [Transport::Tcp, Transport::Udp].map(|t| draft.table(t, &device));
        let (drawn, used) = (draft.drawn, draft.used);
        let (tcp, udp, personality) = (tcp?, udp?, personality?);
        self.check_coherence(group, &device, &personality, &used);
        self.check_accounts(group, &used);
        Some(Kind {
            hostname: hostname.ok()?,
            accounts: group.accounts.iter().map(planted).collect(),
            serial: group.serial.as_ref().map(|given| given.as_str().into()),
            personality: self.personality(&personality),
            tables: [tcp.0, udp.0],
            defaults: [tcp.1, udp.1],
            drawn,
            made: RefCell::default(),
            device,
        })
    }

    fn hostname(&mut self, group: &Decoys) -> Result<Option<Pattern>, ()> {
        let Some(text) = &group.hostname else { return Ok(None) };
        let at = Mention { source: &self.config.source, span: text.span.clone() };
        match Pattern::parse(text) {
            Ok(pattern) if pattern.is_constant() && group.count() > 1 => {
                let message = format!("{} decoys would all have the name `{}`", group.count(), text.value);
                let help = format!("put a number into it: \"{}-{{n:02}}\"", text.value);
                self.problems.push(at.problem(message, "here").help(help));
                Err(())
            }
            Ok(pattern) => Ok(Some(pattern)),
            Err(wrong) => {
                self.problems.push(at.problem(wrong.message, "here").help(wrong.help));
                Err(())
            }
        }
    }

    fn device(&mut self, group: &Decoys) -> Option<Rc<Device>> {
        let name = &group.profile;
        if let Some(known) = self.devices.get(&name.value) {
            return known.clone();
        }
        let at = Mention { source: &self.config.source, span: name.span.clone() };
        let read = open(Folder::Devices, name, &self.config.directory, &at, Device::from_document);
        let device = self.kept(read);
        self.devices.insert(name.value.clone(), device.clone());
        device
    }

    fn system(&mut self, name: &Located<String>, source: &Arc<SourceFile>) -> Option<Rc<Personality>> {
        if let Some(known) = self.systems.get(&name.value) {
            return known.clone();
        }
        let at = Mention { source, span: name.span.clone() };
        let read = open(Folder::Systems, name, &self.config.directory, &at, system::from_document);
        let system = self.kept(read);
        self.systems.insert(name.value.clone(), system.clone());
        system
    }

    /// The service of one line of `source`, if the line names one.
    fn service(&mut self, change: &PortChange, source: &Arc<SourceFile>) -> Option<Named> {
        let PortValue::Service(name) = &change.value.value else { return None };
        if let Some(known) = self.services.get(name) {
            return known.clone();
        }
        let at = Mention { source, span: change.value.span.clone() };
        let (file, revision) = match name.rsplit_once('@') {
            Some((file, revision)) if !name.starts_with("file:") => (file, Some(revision)),
            _ => (name.as_str(), None),
        };
        let service = self.service_file(file, &at);
        let named = match (service, revision) {
            (Some(service), Some(revision)) => self.pinned(service, revision, &at),
            (service, _) => service.map(|s| (s, None)),
        };
        self.services.insert(name.clone(), named.clone());
        named
    }

    fn service_file(&mut self, file: &str, at: &Mention<'_>) -> Option<Rc<Service>> {
        if let Some(known) = self.service_files.get(file) {
            return known.clone();
        }
        let read = open(Folder::Services, file, &self.config.directory, at, Service::from_document);
        let service = self.kept(read.map(|service| Service { reference: file.to_owned(), ..service }));
        self.service_files.insert(file.to_owned(), service.clone());
        service
    }

    fn pinned(&mut self, service: Rc<Service>, revision: &str, at: &Mention<'_>) -> Option<Named> {
        let variant = service.variant(revision);
        if variant.is_none() {
            let known: Vec<&str> = service.variants.iter().map(|(name, _)| name.as_str()).collect();
            let message = format!("`{}` has no revision `{revision}`", service.name);
            self.problems.push(at.problem(message, "here").help(format!("there are {}", known.join(", "))));
        }
        variant.map(|v| (service, Some(v)))
    }

    fn kept<T>(&mut self, read: Result<T, Vec<Problem>>) -> Option<Rc<T>> {
        match read {
            Ok(read) => Some(Rc::new(read)),
            Err(problems) => {
                self.problems.extend(problems);
                None
            }
        }
    }

    fn check_coherence(&mut self, group: &Decoys, device: &Device, personality: &Personality, used: &[Rc<Service>]) {
        if !group.coherent {
            return;
        }
        let services = used.iter().map(AsRef::as_ref).collect();
        let claim = Claim { device, personality, services, mac: group.mac.as_ref().map(|m| m.value) };
        let reasons = coherence::contradictions(&claim);
        if reasons.is_empty() {
            return;
        }
        let at = Mention { source: &self.config.source, span: group.profile.span.clone() };
        let message = format!("no device is all this at once: {}", reasons.join("; "));
        let help = "change what contradicts, or write `coherent = false` in the group to have it nevertheless";
        self.problems.push(at.problem(message, "in this group").help(help));
    }

    /// An account that opens no door is no bait.
    fn check_accounts(&mut self, group: &Decoys, used: &[Rc<Service>]) {
        let takes = |service: &Rc<Service>| service.variants.iter().any(|(_, kind)| kind.takes_accounts());
        if group.accounts.is_empty() || used.iter().any(takes) {
            return;
        }
        let at = Mention { source: &self.config.source, span: group.profile.span.clone() };
        let message = "none of the group's services lets a planted account in";
        let help =
            "give it one that does, such as ports = { \"22/tcp\" = \"dropbear-2022.83\" }, or leave `accounts` out";
        self.problems.push(at.problem(message, "in this group").help(help));
    }

    fn personality(&mut self, personality: &Rc<Personality>) -> u16 {
        let same = self.compiled.personalities.iter().position(|p| p == personality.as_ref());
        let index = same.unwrap_or_else(|| {
            self.compiled.personalities.push(personality.as_ref().clone());
            self.compiled.personalities.len() - 1
        });
        self.index(index)
    }

    fn service_port(&mut self, service: &Service, variant: usize) -> Port {
        let key = (service.reference.clone(), variant);
        if let Some(&known) = self.service_index.get(&key) {
            return Port::Service(known);
        }
        let index = self.index(self.compiled.services.len());
        self.compiled.services.extend(service.spec(variant));
        self.service_index.insert(key, index);
        Port::Service(index)
    }

    /// The profile of decoys of a kind that have drawn these revisions, one for each of [`Kind::drawn`].
    pub(super) fn profile(&mut self, kind: &Kind, revisions: &[usize]) -> u16 {
        let counts = kind.drawn.iter().map(|s| s.variants.len() as u64);
        let code = counts.zip(revisions).fold(0, |code, (count, &drawn)| code * count + drawn as u64);
        if let Some(&index) = kind.made.borrow().get(&code) {
            return index;
        }
        let [tcp, udp] = [0, 1].map(|i| self.port_table(kind, i, revisions));
        let profile = ProfileSpec {
            name: kind.device.name.clone(),
            personality: kind.personality,
            tcp,
            udp,
            accounts: Arc::clone(&kind.accounts),
            serial: kind.serial.clone(),
        };
        let key = format!("{profile:?}");
        let known = self.profile_index.get(&key).copied();
        let index = known.unwrap_or_else(|| {
            let index = self.index(self.compiled.profiles.len());
            self.compiled.profiles.push(profile);
            self.profile_index.insert(key, index);
            index
        });
        kind.made.borrow_mut().insert(code, index);
        index
    }

    /// An index as the fleet has it; one that does not fit is noted, once.
    fn index(&mut self, index: usize) -> u16 {
        u16::try_from(index).unwrap_or_else(|_| {
            if !std::mem::replace(&mut self.overflowed, true) {
                let message = "the groups differ in more ways than a fleet can hold";
                let help = "give groups of one kind the same `ports`; 65,536 kinds are the limit";
                self.problems.push(Problem::new(message).help(help));
            }
            u16::MAX
        })
    }

    fn port_table(&mut self, kind: &Kind, transport: usize, revisions: &[usize]) -> PortTable {
        let mut port = |behind: Behind| match behind {
            Behind::Fixed(port) => port,
            Behind::Drawn(which) => match (kind.drawn.get(which), revisions.get(which)) {
                (Some(service), Some(&revision)) => self.service_port(service, revision),
                _ => Port::Open,
            },
        };
        let table = kind.tables.get(transport).map_or(&[][..], Vec::as_slice);
        let ranges = table.iter().map(|&(first, last, behind)| (first, last, port(behind))).collect();
        PortTable { ranges, default: kind.defaults.get(transport).map_or(Port::Closed, |&d| port(d)) }
    }
}

/// The tables of one group while they are made.
struct Draft<'g, 'c> {
    groups: &'g mut Groups<'c>,
    drawn: Vec<Rc<Service>>,
    used: Vec<Rc<Service>>,
    group: &'c Decoys,
}

type Table = (Vec<(u16, u16, Behind)>, Behind);

impl Draft<'_, '_> {
    fn table(&mut self, transport: Transport, device: &Device) -> Option<Table> {
        let layers = Layers::of(transport, device.ports.iter().chain(&self.group.ports));
        let mut ranges = Vec::with_capacity(layers.ranges.len());
        let mut complete = true;
        for (first, last, line) in layers.ranges {
            match self.behind(line, device) {
                Some(behind) => ranges.push((first, last, behind)),
                None => complete = false,
            }
        }
        let default = layers.default.map_or(Some(Behind::Fixed(Port::Closed)), |line| self.behind(line, device))?;
        complete.then_some((ranges, default))
    }

    fn behind(&mut self, line: &PortChange, device: &Device) -> Option<Behind> {
        let fixed = match line.value.value {
            PortValue::Open => Port::Open,
            PortValue::Closed => Port::Closed,
            PortValue::Filtered => Port::Filtered,
            PortValue::Service(_) => return self.served(line, device),
        };
        Some(Behind::Fixed(fixed))
    }

    fn served(&mut self, line: &PortChange, device: &Device) -> Option<Behind> {
        let own = self.group.ports.iter().any(|c| std::ptr::eq(c, line));
        let source = if own { &self.groups.config.source } else { &device.source };
        let (service, pinned) = self.groups.service(line, source)?;
        if !self.used.iter().any(|s| Rc::ptr_eq(s, &service)) {
            self.used.push(Rc::clone(&service));
        }
        let variant = match pinned {
            Some(variant) => variant,
            None if service.variants.len() == 1 => 0,
            None => return Some(Behind::Drawn(self.draw(service))),
        };
        Some(Behind::Fixed(self.groups.service_port(&service, variant)))
    }

    fn draw(&mut self, service: Rc<Service>) -> usize {
        let known = self.drawn.iter().position(|s| Rc::ptr_eq(s, &service));
        known.unwrap_or_else(|| {
            self.drawn.push(service);
            self.drawn.len() - 1
        })
    }
}

fn planted(account: &chaff_config::Account) -> Account {
    Account { user: account.user.clone(), password: account.password.clone() }
}

/// What a group says, apart from its addresses: groups of one signature are of one kind.
fn signature(group: &Decoys) -> String {
    use std::fmt::Write as _;
    let mut text = format!("{:?}", (&group.profile.value, group.personality.as_ref().map(|p| &p.value)));
    let hostname = group.hostname.as_ref().map(|h| &h.value);
    let many = group.hostname.is_some() && group.count() > 1;
    let oui = group.mac.as_ref().filter(|_| group.coherent).map(|m| m.value.oui());
    let serial = group.serial.as_ref().map(|s| &s.value);
    write!(text, "{:?}", (hostname, many, oui, group.coherent, &group.accounts, serial)).unwrap_or_default();
    for change in &group.ports {
        write!(text, "{:?}", (change.key.value, &change.value.value)).unwrap_or_default();
    }
    text
}
