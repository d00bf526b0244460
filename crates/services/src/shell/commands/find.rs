//! `find`, as that of findutils: its tests, all of which must hold, and what it does with what it finds.

use alloc::{format, string::String, vec::Vec};

use super::{Call, fits, lossy, may, name_of, run};
use crate::{
    limits::shell::MAX_FOUND,
    shell::{
        Stdin,
        files::{Node, What},
    },
};

/// What is asked of an entry.
enum Test {
    Name(String, bool),
    Path(String),
    Kind(char),
    /// Bits, and whether all, some or exactly these are set.
    Bits(u16, Bits),
    Owner(u32),
    Group(u32),
    May(u16),
    /// Blocks of so many octets: more, less or as many.
    Size(i64, u64, char),
    /// Days since it was changed, likewise.
    Age(i64, char),
    Empty,
}

enum Bits {
    All,
    Some,
    Exactly,
}

#[derive(Default)]
struct Search {
    roots: Vec<String>,
    tests: Vec<(Test, bool)>,
    least: usize,
    most: Option<usize>,
    /// Commands that are run for each entry, or once for all.
    commands: Vec<(Vec<Vec<u8>>, bool)>,
    lists: bool,
    ends_with_zero: bool,
    deletes: bool,
    prints: bool,
}

impl Call<'_> {
    pub(super) fn find(&mut self) -> u8 {
        let mut search = match self.wanted() {
            Ok(search) => search,
            Err(text) => return self.fail(&text),
        };
        let asker = self.shell.asker();
        let (mut status, mut shown) = (0, 0);
        let mut waiting: Vec<(String, usize)> = search.roots.drain(..).rev().map(|root| (root, 0)).collect();
        let mut gathered: Vec<Vec<u8>> = Vec::new();
        while let Some((path, depth)) = waiting.pop() {
            let full = self.full(&path);
            let (real, node) = match self.shell.files.find_link(&full, asker) {
                Ok((real, node)) => (real, node.clone()),
                Err(refusal) => {
                    status = self.fail_at(&path, refusal, &format!("‘{path}’: {}", refusal.text()));
                    continue;
                }
            };
            let holds = search.tests.iter().all(|(test, negated)| self.holds(test, &path, &real, &node) != *negated);
            if holds && depth >= search.least {
                shown += 1;
                self.do_with(&search, &path, &mut gathered);
            }
            if shown >= MAX_FOUND || self.written.is_full() || self.written.endless {
                break;
            }
            if node.what == What::Directory && search.most.is_none_or(|most| depth < most) {
                match self.shell.files.list(&real, asker) {
                    Ok(entries) => {
                        let below = entries
                            .iter()
                            .rev()
                            .map(|(name, _)| (format!("{}/{name}", path.trim_end_matches('/')), depth + 1));
                        waiting.extend(below.collect::<Vec<_>>());
                    }
                    // What was found and removed meanwhile.
                    Err(refusal) if !search.deletes => {
                        status = self.fail_at(&path, refusal, &format!("‘{path}’: {}", refusal.text()));
                    }
                    Err(_) => {}
                }
            }
        }
        for (command, _) in search.commands.iter().filter(|(_, at_once)| *at_once && !gathered.is_empty()) {
            let words = command
                .iter()
                .flat_map(|word| if word == b"{}" { gathered.clone() } else { Vec::from([word.clone()]) });
            let words: Vec<Vec<u8>> = words.collect();
            self.run_found(&words);
        }
        status
    }

    fn do_with(&mut self, search: &Search, path: &str, gathered: &mut Vec<Vec<u8>>) {
        for (command, at_once) in &search.commands {
            if *at_once {
                gathered.push(path.as_bytes().to_vec());
            } else {
                let words: Vec<Vec<u8>> =
                    command.iter().map(|word| lossy(word).replace("{}", path).into_bytes()).collect();
                self.run_found(&words);
            }
        }
        if search.lists {
            self.run_found(&[b"ls".to_vec(), b"-ld".to_vec(), path.into()]);
        }
        if search.deletes {
            let _ = self.shell.files.remove(&self.full(path), self.shell.asker(), true);
        }
        if search.prints {
            self.say(path);
            self.say(if search.ends_with_zero { "\0" } else { "\n" });
        }
    }

    fn run_found(&mut self, words: &[Vec<u8>]) {
        if !self.shell.is_spent(self.written) {
            run(self.shell, words, &mut Stdin::default(), self.written, false);
        }
    }

    fn holds(&self, test: &Test, path: &str, real: &str, node: &Node) -> bool {
        let compare = |value: i64, wanted: i64, sign: char| match sign {
            '+' => value > wanted,
            '-' => value < wanted,
            _ => value == wanted,
        };
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        match test {
            Test::Name(pattern, false) => fits(pattern.as_bytes(), name_of(real).as_bytes()),
            Test::Name(pattern, true) => {
                fits(pattern.to_lowercase().as_bytes(), name_of(real).to_lowercase().as_bytes())
            }
            Test::Path(pattern) => fits(pattern.as_bytes(), path.as_bytes()),
            Test::Kind(kind) => match node.what {
                What::Directory => *kind == 'd',
                What::Link(_) => *kind == 'l',
                What::Text(_) | What::Program(_) => *kind == 'f',
                What::Device(..) => *kind == 'c',
            },
            Test::Bits(bits, Bits::All) => node.mode & bits == *bits,
            Test::Bits(bits, Bits::Some) => *bits == 0 || node.mode & bits != 0,
            Test::Bits(bits, Bits::Exactly) => node.mode == *bits,
            Test::Owner(uid) => node.uid == *uid,
            Test::Group(gid) => node.gid == *gid,
            Test::May(bit) => may(node, self.shell.asker(), *bit),
            Test::Size(wanted, unit, sign) => {
                compare(signed(self.shell.size_of(real, node).div_ceil((*unit).max(1))), *wanted, *sign)
            }
            Test::Age(wanted, sign) => {
                compare(signed(self.now.saturating_sub(node.modified) / (24 * 3600)), *wanted, *sign)
            }
            Test::Empty => match node.what {
                What::Directory => self.shell.files.children(real).next().is_none(),
                _ => node.size() == 0,
            },
        }
    }

    /// Reads the words of the call.
    fn wanted(&self) -> Result<Search, String> {
        let mut search = Search::default();
        let mut words = self.args.iter().map(|arg| lossy(arg).into_owned()).peekable();
        while let Some(root) = words.next_if(|word| !word.starts_with(['-', '!', '('])) {
            search.roots.push(root);
        }
        if search.roots.is_empty() {
            search.roots.push(".".into());
        }
        let (mut negated, mut acts) = (false, false);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("missing argument to `{word}'"));
            let test = match word.as_str() {
                "!" | "-not" => {
                    negated = !negated;
                    continue;
                }
                "-name" => Test::Name(value()?, false),
                "-iname" => Test::Name(value()?, true),
                "-path" | "-wholename" => Test::Path(value()?),
                "-type" => Test::Kind(value()?.chars().next().unwrap_or(' ')),
                "-perm" => bits(&value()?)?,
                "-user" | "-uid" => {
                    let name = value()?;
                    let known = self.shell.host.users.iter().find(|user| user.name == name).map(|user| user.uid);
                    let uid = known.or_else(|| name.parse().ok());
                    Test::Owner(uid.ok_or_else(|| format!("‘{name}’ is not the name of a known user"))?)
                }
                "-group" | "-gid" => {
                    let name = value()?;
                    let gid = (0..=u32::from(u16::MAX)).find(|gid| self.shell.host.group_of(*gid) == name.as_str());
                    let gid = name.parse().ok().or(gid);
                    Test::Group(gid.ok_or_else(|| format!("‘{name}’ is not the name of an existing group"))?)
                }
                "-readable" => Test::May(4),
                "-writable" => Test::May(2),
                "-executable" => Test::May(1),
                "-empty" => Test::Empty,
                "-size" => size(&value()?)?,
                "-mtime" | "-ctime" | "-atime" => {
                    let text = value()?;
                    let (sign, digits) = sign_of(&text);
                    let days = digits.parse().map_err(|_| format!("invalid argument `{text}' to `{word}'"))?;
                    Test::Age(days, sign)
                }
                "-maxdepth" => {
                    search.most = Some(value()?.parse().unwrap_or(0));
                    continue;
                }
                "-mindepth" => {
                    search.least = value()?.parse().unwrap_or(0);
                    continue;
                }
                "-exec" | "-execdir" | "-ok" => {
                    let mut command: Vec<Vec<u8>> = Vec::new();
                    let at_once = loop {
                        match words.next().ok_or_else(|| format!("missing argument to `{word}'"))?.as_str() {
                            ";" => break false,
                            "+" if command.last().is_some_and(|last| last == b"{}") => break true,
                            other => command.push(other.into()),
                        }
                    };
                    search.commands.push((command, at_once));
                    acts = true;
                    continue;
                }
                "-print" | "-print0" => {
                    (search.prints, search.ends_with_zero) = (true, word == "-print0");
                    continue;
                }
                "-ls" => {
                    (search.lists, acts) = (true, true);
                    continue;
                }
                "-delete" => {
                    (search.deletes, acts) = (true, true);
                    continue;
                }
                "-xdev" | "-mount" | "-depth" | "-follow" | "-a" | "-and" => continue,
                // What is asked of files beyond that is true of all of them.
                "(" | ")" | "-o" | "-or" | "-prune" | "-quit" => continue,
                "-newer" | "-fstype" | "-regex" | "-links" | "-inum" | "-mmin" | "-amin" | "-cmin" => {
                    value()?;
                    continue;
                }
                _ => return Err(format!("unknown predicate `{word}'")),
            };
            search.tests.push((test, negated));
            negated = false;
        }
        search.prints |= !acts;
        Ok(search)
    }
}

/// `755`, `-4000`, `/6000`, `-u=s`.
fn bits(text: &str) -> Result<Test, String> {
    let (how, digits) = match text.split_at_checked(1) {
        Some(("-", rest)) => (Bits::All, rest),
        Some(("/" | "+", rest)) => (Bits::Some, rest),
        _ => (Bits::Exactly, text),
    };
    if let Ok(bits) = u16::from_str_radix(digits, 8) {
        return Ok(Test::Bits(bits, how));
    }
    let wrong = || format!("invalid mode ‘{text}’");
    let mut bits = 0;
    for part in digits.split(',') {
        let (who, what) = part.split_once(['=', '+']).ok_or_else(wrong)?;
        let who = if who.is_empty() || who == "a" { "ugo" } else { who };
        for (one, letter) in who.chars().flat_map(|one| what.chars().map(move |letter| (one, letter))) {
            let shift = match one {
                'u' => 6,
                'g' => 3,
                'o' => 0,
                _ => return Err(wrong()),
            };
            bits |= match (letter, one) {
                ('r', _) => 4 << shift,
                ('w', _) => 2 << shift,
                ('x', _) => 1 << shift,
                ('s', 'u') => 0o4000,
                ('s', 'g') => 0o2000,
                ('t', _) => 0o1000,
                _ => return Err(wrong()),
            };
        }
    }
    Ok(Test::Bits(bits, how))
}

/// `+10k`: blocks of 512 octets, if no unit is named.
fn size(text: &str) -> Result<Test, String> {
    let (sign, rest) = sign_of(text);
    let digits = rest.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match rest.get(digits.len()..).unwrap_or("") {
        "c" => 1,
        "w" => 2,
        "" | "b" => 512,
        "k" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return Err(format!("invalid -size type `{text}'")),
    };
    let wanted = digits.parse().map_err(|_| format!("invalid argument `{text}' to `-size'"))?;
    Ok(Test::Size(wanted, unit, sign))
}

fn sign_of(text: &str) -> (char, &str) {
    match text.split_at_checked(1) {
        Some(("+", rest)) => ('+', rest),
        Some(("-", rest)) => ('-', rest),
        _ => (' ', text),
    }
}
