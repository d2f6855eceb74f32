//! The words of the scenario language in one table: every key with its form, default and meaning.
//!
//! *Knows* what may be written where. *Does not know* how it is read; a test watches the readers at
//! work and holds every key, form, bound and word of theirs against this table, both ways. The schema
//! for editors and the pages of `scsim explain` are made from it.

mod happenings;
mod money;
mod outcome;
mod planes;
mod policy;
mod system;
#[cfg(test)]
mod tests;

/// What a value may look like.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// Text.
    Text,
    /// True or false.
    Truth,
    /// A whole number from the first to the second.
    Count(u64, u64),
    /// A number from the first to the second.
    Number(f64, f64),
    /// A duration, "250ms".
    Span,
    /// A rate, "200/s".
    Rate,
    /// A share, "0.5%".
    Share,
    /// A size, "64MiB".
    Size,
    /// A processor share, "0.25 vCPU".
    Cpu,
    /// A size per second, or per request: "1MiB/s".
    SizePer,
    /// A price, "$0.10".
    Money,
    /// A percentage in Envoy's shapes: "50%", 50 or { value = 50 }.
    Percent,
    /// One of a few words.
    Words(&'static [&'static str]),
    /// One of the words that a function lists.
    Known(fn() -> Vec<&'static str>),
    /// A table of this name.
    Table(&'static str),
    /// Tables under names of the user's own.
    Named(&'static str),
    /// A list.
    List(&'static Form),
    /// Steps in turn: names, tables of `service.steps`, or lists of steps at once.
    Steps,
    /// One of several forms.
    Either(&'static [Form]),
    /// This word is `false`: the table is switched off as a whole.
    Off,
    /// Anything.
    Anything,
}

/// A key of a table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// How it is written.
    pub name: &'static str,
    /// What it may hold.
    pub form: Form,
    /// What holds if nobody writes it, as a person would say it; empty where the key must be there or
    /// where its absence is the meaning.
    pub default: &'static str,
    /// What it means.
    pub about: &'static str,
}

/// A table of the language.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its path in the language, `service.health_check`; the whole file is the empty path.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Its keys, in groups that tables may share.
    pub keys: &'static [&'static [Key]],
    /// Keys that must be there.
    pub needs: &'static [&'static str],
    /// Names of Envoy's that are understood and refused, unless the value switches them off.
    pub unmodelled: fn() -> Vec<&'static str>,
}

impl Table {
    /// Every key.
    pub fn all(&self) -> impl Iterator<Item = &'static Key> {
        self.keys.iter().flat_map(|group| group.iter())
    }
}

const fn key(name: &'static str, form: Form, default: &'static str, about: &'static str) -> Key {
    Key { name, form, default, about }
}

const fn table(name: &'static str, about: &'static str, keys: &'static [&'static [Key]]) -> Table {
    Table { name, about, keys, needs: &[], unmodelled: Vec::new }
}

impl Table {
    const fn needs(self, needs: &'static [&'static str]) -> Table {
        Table { needs, ..self }
    }
}

/// Every table, the whole file first.
pub fn tables() -> impl Iterator<Item = &'static Table> {
    [system::TABLES, planes::TABLES, policy::TABLES, happenings::TABLES, outcome::TABLES, money::TABLES]
        .into_iter()
        .flatten()
}

/// The table of that path.
pub fn of(name: &str) -> Option<&'static Table> {
    tables().find(|table| table.name == name)
}

/// The names of the built-in planes.
pub fn planes() -> impl Iterator<Item = &'static str> {
    crate::scenario::planes::BUILT_IN.iter().map(|(name, _)| *name)
}
