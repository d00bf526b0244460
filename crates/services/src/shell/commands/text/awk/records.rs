//! Variables, elements and fields of `awk`, and the record that fields are parts of.

use alloc::{format, rc::Rc, vec::Vec};

use super::{
    Expression, Place, lossy,
    running::{FS, NF, OFS, RS, Run, SUBSEP, Step, Stop},
    values::Value,
};
use crate::{
    limits::shell::{MAX_SCRIPT_FIELDS, MAX_SCRIPT_TEXT},
    shell::commands::text::{
        form::whole,
        regex::{Regex, Syntax},
    },
};

/// Patterns put together while a program runs that are kept, so that a loop does not read the same one anew.
const MAX_KEPT: usize = 16;

impl Run<'_, '_> {
    pub(super) fn variable(&self, place: usize) -> &Value {
        const UNSET: &Value = &Value::Unset;
        self.variables.get(place).unwrap_or(UNSET)
    }

    pub(super) fn record(&self) -> Rc<[u8]> {
        Rc::clone(&self.record)
    }

    pub(super) fn key(&mut self, keys: &[Expression]) -> Step<Rc<[u8]>> {
        let mut key = Vec::new();
        for (place, part) in keys.iter().enumerate() {
            if place > 0 {
                key.extend_from_slice(&self.variable(SUBSEP).text());
            }
            key.extend_from_slice(&self.value(part)?.text());
        }
        // An element takes more room than its key.
        self.step(key.len() + 256)?;
        key.truncate(MAX_SCRIPT_TEXT);
        Ok(key.into())
    }

    fn field_number(&mut self, which: &Expression) -> Step<usize> {
        let number = whole(self.value(which)?.number());
        match usize::try_from(number) {
            Ok(number) => Ok(number.min(MAX_SCRIPT_FIELDS)),
            Err(_) => self.fault(&format!("negative field index ${number}")),
        }
    }

    pub(super) fn get(&mut self, place: &Place) -> Step<Value> {
        Ok(match place {
            Place::Variable(place) => self.variable(*place).clone(),
            Place::Field(which) => match self.field_number(which)? {
                0 => Value::read(&self.record),
                number => self.fields.get(number - 1).cloned().unwrap_or_default(),
            },
            Place::Element(array, keys) => {
                let key = self.key(keys)?;
                self.arrays.get_mut(*array).map(|array| array.element(key).clone()).unwrap_or_default()
            }
        })
    }

    pub(super) fn set(&mut self, place: &Place, value: Value) -> Step<()> {
        match place {
            Place::Variable(place) => self.set_variable(*place, value),
            Place::Field(which) => match self.field_number(which)? {
                0 => self.set_record(value.text()),
                number => {
                    self.step(number)?;
                    if self.fields.len() < number {
                        self.fields.resize(number, Value::Text(Rc::from([])));
                    }
                    if let Some(field) = self.fields.get_mut(number - 1) {
                        *field = value;
                    }
                    self.join_fields()
                }
            },
            Place::Element(array, keys) => {
                let key = self.key(keys)?;
                if let Some(array) = self.arrays.get_mut(*array) {
                    *array.element(key) = value;
                }
                Ok(())
            }
        }
    }

    pub(super) fn set_variable(&mut self, place: usize, value: Value) -> Step<()> {
        let fields = (place == NF).then(|| usize::try_from(whole(value.number())).unwrap_or(0).min(MAX_SCRIPT_FIELDS));
        if let Some(variable) = self.variables.get_mut(place) {
            *variable = value;
        }
        if let Some(fields) = fields {
            self.step(fields)?;
            self.fields.resize(fields, Value::Text(Rc::from([])));
            self.join_fields()?;
        }
        Ok(())
    }

    /// The record is made of its fields anew.
    fn join_fields(&mut self) -> Step<()> {
        let between = self.variable(OFS).text();
        let texts: Vec<Rc<[u8]>> = self.fields.iter().map(Value::text).collect();
        let mut record: Vec<u8> = texts.join(&*between);
        self.step(record.len())?;
        record.truncate(MAX_SCRIPT_TEXT);
        self.record = record.into();
        self.count_fields();
        Ok(())
    }

    fn count_fields(&mut self) {
        let count = u32::try_from(self.fields.len()).unwrap_or(u32::MAX);
        if let Some(fields) = self.variables.get_mut(NF) {
            *fields = Value::Number(count.into());
        }
    }

    pub(super) fn set_record(&mut self, record: Rc<[u8]>) -> Step<()> {
        let separator = self.variable(FS).text();
        let mut fields = self.split(&record, &separator)?;
        if self.variable(RS).text().is_empty() && &*separator != b" " {
            // Between empty lines, a line's end separates fields as well.
            fields = fields.iter().flat_map(|field| field.split(|octet| *octet == b'\n').map(<[u8]>::to_vec)).collect();
        }
        self.fields = fields.iter().map(|field| Value::read(field)).collect();
        self.record = record;
        self.count_fields();
        Ok(())
    }

    /// The parts of a text between separators: blanks, one octet, or what fits a pattern.
    pub(super) fn split(&mut self, text: &[u8], separator: &[u8]) -> Step<Vec<Vec<u8>>> {
        self.step(text.len())?;
        let part = |part: &[u8]| part.to_vec();
        Ok(match separator {
            _ if text.is_empty() => Vec::new(),
            b" " => text
                .split(|octet| matches!(octet, b' ' | b'\t' | b'\n'))
                .filter(|field| !field.is_empty())
                .take(MAX_SCRIPT_FIELDS)
                .map(part)
                .collect(),
            [octet] if *octet != b'\\' => text.split(|seen| seen == octet).take(MAX_SCRIPT_FIELDS).map(part).collect(),
            [] => text.iter().take(MAX_SCRIPT_FIELDS).map(|octet| Vec::from([*octet])).collect(),
            pattern => {
                let regex = self.pattern(pattern)?;
                let (mut parts, mut start, mut at) = (Vec::new(), 0, 0);
                while let Some(found) = regex.find(text, at, &mut self.budget) {
                    at = found.end.max(found.start + 1);
                    if found.end > found.start {
                        parts.push(text.get(start..found.start).unwrap_or_default().to_vec());
                        start = found.end;
                    }
                    if at > text.len() || parts.len() >= MAX_SCRIPT_FIELDS {
                        break;
                    }
                }
                parts.push(text.get(start..).unwrap_or_default().to_vec());
                parts
            }
        })
    }

    /// A pattern that is put together while the program runs.
    pub(super) fn pattern(&mut self, pattern: &[u8]) -> Step<Regex> {
        if let Some(regex) = self.kept.get(pattern) {
            return Ok(regex.clone());
        }
        self.step(pattern.len().saturating_mul(64))?;
        match Regex::new(pattern, Syntax::Awk, false) {
            Ok(regex) => {
                if self.kept.len() < MAX_KEPT {
                    self.kept.insert(pattern.into(), regex.clone());
                }
                Ok(regex)
            }
            Err(wrong) => {
                let text = format!("regular expression compile failed ({wrong})\n{}", lossy(pattern));
                Err(Stop::Fault(text))
            }
        }
    }
}
