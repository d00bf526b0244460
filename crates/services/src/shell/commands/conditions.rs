//! `test`, `[` and bash's `[[`.

use alloc::{format, string::String, vec::Vec};

use super::{Call, ShellKind, fits, lossy, may};
use crate::{limits::shell::MAX_DEPTH, shell::files::What};

/// Signs between two operands.
const BINARY: [&str; 14] = ["=", "==", "!=", "=~", "<", ">", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot"];

/// Why a condition has no value.
enum Wrong {
    Number(String),
    Unary(String),
    Binary(String),
    Many,
    Argument,
}

impl Call<'_> {
    pub(super) fn test(&mut self) -> u8 {
        let mut args: Vec<String> = self.args.iter().map(|arg| lossy(arg).into_owned()).collect();
        let closing = if self.name == "[" { "]" } else { "]]" };
        if self.name != "test" && args.pop().as_deref() != Some(closing) {
            let applet = self.is_applet();
            self.fail_builtin(if applet { "missing ]" } else { "missing `]'" });
            return 2;
        }
        let mut reader = Reader { call: self, args: &args, at: 0, depth: 0 };
        match reader.whole() {
            Ok(holds) => u8::from(!holds),
            Err(wrong) => {
                let kind = self.shell.kind;
                let text = match (wrong, kind) {
                    (Wrong::Number(text), ShellKind::Bash) => format!("{text}: integer expression expected"),
                    (Wrong::Number(text), ShellKind::Ash) => format!("bad number: {text}"),
                    (Wrong::Number(text), _) => format!("Illegal number: {text}"),
                    (Wrong::Unary(text), ShellKind::Bash) => format!("{text}: unary operator expected"),
                    (Wrong::Binary(text), ShellKind::Bash) => format!("{text}: binary operator expected"),
                    (Wrong::Unary(text) | Wrong::Binary(text), ShellKind::Ash) => format!("{text}: unknown operand"),
                    (Wrong::Unary(text) | Wrong::Binary(text), _) => format!("{text}: unexpected operator"),
                    (Wrong::Many, ShellKind::Bash) => "too many arguments".into(),
                    (Wrong::Many, ShellKind::Ash) => "too many arguments".into(),
                    (Wrong::Many, _) => format!("{}: unexpected operator", args.get(1).map_or("", String::as_str)),
                    (Wrong::Argument, _) => "argument expected".into(),
                };
                self.fail_builtin(&text);
                2
            }
        }
    }
}

struct Reader<'r, 'c> {
    call: &'r Call<'c>,
    args: &'r [String],
    at: usize,
    depth: u8,
}

impl<'r> Reader<'r, '_> {
    fn peek(&self, ahead: usize) -> Option<&'r str> {
        self.args.get(self.at + ahead).map(String::as_str)
    }

    fn whole(&mut self) -> Result<bool, Wrong> {
        if self.args.is_empty() {
            return Ok(false);
        }
        // With few arguments their number says what they are (POSIX.1-2017, test).
        if let [one] = self.args {
            return Ok(!one.is_empty());
        }
        if let [first, _] = self.args
            && first != "!"
            && !is_unary(first)
        {
            return Err(Wrong::Unary(first.clone()));
        }
        let holds = self.any()?;
        match self.peek(0) {
            None => Ok(holds),
            Some(_) if self.args.len() == 3 => Err(Wrong::Binary(self.peek(0).unwrap_or("").into())),
            Some(_) => Err(Wrong::Many),
        }
    }

    fn any(&mut self) -> Result<bool, Wrong> {
        let mut holds = self.all()?;
        while self.peek(0) == Some("-o") {
            self.at += 1;
            holds |= self.all()?;
        }
        Ok(holds)
    }

    fn all(&mut self) -> Result<bool, Wrong> {
        let mut holds = self.one()?;
        while self.peek(0) == Some("-a") {
            self.at += 1;
            holds &= self.one()?;
        }
        Ok(holds)
    }

    fn one(&mut self) -> Result<bool, Wrong> {
        let (mut negated, first) = (
            false,
            loop {
                let Some(first) = self.peek(0) else { return Err(Wrong::Argument) };
                if first != "!" || self.peek(1).is_some_and(|next| BINARY.contains(&next)) {
                    break first;
                }
                self.at += 1;
            },
        );
        // Each sign turns what follows around.
        let signs = self.args.get(..self.at).unwrap_or_default().iter().rev().take_while(|arg| *arg == "!").count();
        negated |= signs % 2 == 1;
        if let Some(sign) = self.peek(1).filter(|sign| BINARY.contains(sign))
            && let Some(right) = self.peek(2)
        {
            self.at += 3;
            return Ok(self.compare(first, sign, right)? != negated);
        }
        if first == "(" && self.depth < MAX_DEPTH {
            self.at += 1;
            self.depth += 1;
            let holds = self.any()?;
            self.depth -= 1;
            self.at += 1;
            return Ok(holds != negated);
        }
        if let (true, Some(operand)) = (is_unary(first), self.peek(1)) {
            self.at += 2;
            return Ok(self.unary(first, operand) != negated);
        }
        self.at += 1;
        Ok(first.is_empty() == negated)
    }

    fn unary(&self, sign: &str, operand: &str) -> bool {
        let (shell, asker) = (&self.call.shell, self.call.shell.asker());
        let full = self.call.full(operand);
        let found = shell.files.find(&full, asker).ok();
        let is = |what: fn(&What) -> bool| found.as_ref().is_some_and(|(_, node)| what(&node.what));
        let may = |bit| found.as_ref().is_some_and(|(_, node)| may(node, asker, bit));
        match sign {
            "-z" => operand.is_empty(),
            "-n" => !operand.is_empty(),
            "-e" | "-a" => found.is_some(),
            "-f" => is(|what| !matches!(what, What::Directory | What::Device(..))),
            "-d" => is(|what| matches!(what, What::Directory)),
            "-h" | "-L" => {
                shell.files.find_link(&full, asker).is_ok_and(|(_, node)| matches!(node.what, What::Link(_)))
            }
            "-c" => is(|what| matches!(what, What::Device(..))),
            "-s" => found.as_ref().is_some_and(|(_, node)| node.size() > 0),
            "-r" => may(4),
            "-w" => may(2),
            "-x" => may(1),
            "-O" => found.as_ref().is_some_and(|(_, node)| node.uid == asker.uid),
            "-G" => found.as_ref().is_some_and(|(_, node)| node.gid == asker.gid),
            "-t" => shell.terminal,
            "-v" => shell.variables.contains_key(operand),
            _ => false,
        }
    }

    fn compare(&self, left: &str, sign: &str, right: &str) -> Result<bool, Wrong> {
        let patterns = self.call.name == "[[";
        let number = |text: &str| {
            let bare = text.trim();
            match bare.parse::<i64>() {
                Ok(number) => Ok(number),
                Err(_) if patterns => Ok(0),
                Err(_) => Err(Wrong::Number(text.into())),
            }
        };
        let modified = |path: &str| {
            let found = self.call.shell.files.find(&self.call.full(path), self.call.shell.asker());
            found.map_or(0, |(_, node)| node.modified)
        };
        Ok(match sign {
            "=" | "==" if patterns => fits(right.as_bytes(), left.as_bytes()),
            "!=" if patterns => !fits(right.as_bytes(), left.as_bytes()),
            "=" | "==" => left == right,
            "!=" => left != right,
            "<" => left < right,
            ">" => left > right,
            "-nt" => modified(left) > modified(right),
            "-ot" => modified(left) < modified(right),
            "-eq" => number(left)? == number(right)?,
            "-ne" => number(left)? != number(right)?,
            "-lt" => number(left)? < number(right)?,
            "-le" => number(left)? <= number(right)?,
            "-gt" => number(left)? > number(right)?,
            "-ge" => number(left)? >= number(right)?,
            _ => left.contains(right),
        })
    }
}

fn is_unary(sign: &str) -> bool {
    matches!(sign.as_bytes(), [b'-', letter] if b"abcdefghknprstuvwxzGLNOS".contains(letter))
}
