//! The kinds of fault as words: what each may be aimed at and what one may say about it.
//!
//! *Knows* every word, its aliases and what a request-level simulator cannot mean. *Does not know*
//! values.

/// What a kind can be aimed at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Aims {
    /// Requests: tasks, a zone, an edge.
    Requests,
    /// Processes: tasks, a zone.
    Tasks,
    /// Packets: tasks, a zone, an edge.
    Packets,
    /// A whole service or a zone, newcomers included.
    Groups,
    /// A zone.
    Zone,
    /// The resolver.
    Resolver,
    /// The control plane.
    ControlPlane,
    /// Sidecars.
    Sidecars,
}

/// A kind of fault.
pub struct Word {
    /// As it is written.
    pub name: &'static str,
    /// Other words for it.
    pub aliases: &'static [&'static str],
    /// Keys of its own.
    pub keys: &'static [&'static str],
    /// What it can hit.
    pub aims: Aims,
    /// Its strength can grow.
    pub ramps: bool,
    /// It can strike single requests by number.
    pub counts: bool,
}

const fn word(name: &'static str, keys: &'static [&'static str], aims: Aims) -> Word {
    Word { name, aliases: &[], keys, aims, ramps: false, counts: false }
}

impl Word {
    const fn also(self, aliases: &'static [&'static str]) -> Word {
        Word { aliases, ..self }
    }
    const fn ramps(self) -> Word {
        Word { ramps: true, ..self }
    }
    const fn counts(self) -> Word {
        Word { counts: true, ..self }
    }
}

/// Every key that belongs to some kind.
pub const KEYS: [&str; 17] = [
    "status",
    "rate",
    "factor",
    "latency",
    "jitter",
    "correlation",
    "direction",
    "power",
    "notice",
    "pause",
    "interval",
    "limit",
    "then",
    "used",
    "sent",
    "delay",
    "port",
];

/// Every kind.
pub const WORDS: &[Word] = &[
    word("wedge", &["status"], Aims::Requests).counts(),
    word("grey", &["status", "rate"], Aims::Requests).ramps().counts(),
    word("errors", &["status", "rate"], Aims::Requests).ramps().counts(),
    word("hang", &[], Aims::Requests).counts(),
    word("slow", &["factor", "latency"], Aims::Requests).ramps().counts(),
    word("reset", &["delay"], Aims::Requests).counts(),
    word("refuse", &[], Aims::Requests),
    word("cut-body", &["rate", "sent"], Aims::Requests).ramps().counts(),
    word("connection-limit", &["limit", "then"], Aims::Tasks),
    word("cpu", &["rate"], Aims::Tasks).ramps(),
    word("gc-pause", &["pause", "interval"], Aims::Tasks),
    word("freeze", &[], Aims::Tasks),
    word("memory-leak", &["rate", "used"], Aims::Tasks),
    word("crash", &[], Aims::Tasks),
    word("crash-loop", &["delay"], Aims::Groups),
    word("stop", &[], Aims::Tasks),
    word("spot-reclaim", &["notice"], Aims::Tasks),
    word("latency", &["latency", "jitter", "correlation", "direction"], Aims::Packets).ramps(),
    word("packet-loss", &["rate", "correlation", "direction"], Aims::Packets).also(&["loss"]).ramps(),
    word("partition", &["direction", "port"], Aims::Packets).also(&["blackhole"]),
    word("bandwidth", &["rate", "direction"], Aims::Packets),
    word("az-outage", &["power"], Aims::Zone),
    word("dns-freeze", &[], Aims::Resolver).also(&["dns-stale"]),
    word("dns-fail", &[], Aims::Resolver),
    word("dns-slow", &["latency"], Aims::Resolver).ramps(),
    word("push-freeze", &[], Aims::ControlPlane).also(&["control-plane-loss"]),
    word("push-delay", &["latency"], Aims::ControlPlane).ramps(),
    word("namespace-deleted", &[], Aims::ControlPlane),
    word("throttle", &["latency"], Aims::ControlPlane),
    word("sidecar-crash", &[], Aims::Sidecars),
    word("sidecar-slow", &["factor"], Aims::Sidecars).ramps(),
    word("cert-expiry", &[], Aims::Packets),
    word("goaway", &[], Aims::Tasks),
];

/// Words of other tools that mean nothing to requests without bytes and clocks, each with what comes nearest.
const NO_MEANING: [(&str, &str); 21] = [
    ("duplicate", "TCP throws duplicates away; nearest: kind = \"packet-loss\""),
    ("corrupt", "a corrupted packet fails its checksum and is lost: kind = \"packet-loss\""),
    ("reorder", "TCP waits for what is missing: kind = \"latency\" with `jitter`"),
    ("clock-skew", "nothing here reads a wall clock; a certificate out of date is kind = \"cert-expiry\""),
    ("time-travel", "nothing here reads a wall clock; a certificate out of date is kind = \"cert-expiry\""),
    ("1xx-flood", "requests have no bytes; nearest: kind = \"slow\""),
    ("window-stall", "requests have no bytes; nearest: kind = \"hang\" or \"bandwidth\""),
    ("slow-close", "nothing waits for a close; nearest: kind = \"latency\""),
    ("slicer", "requests have no bytes; nearest: kind = \"latency\" or \"bandwidth\""),
    ("trickle", "requests have no bytes; nearest: kind = \"bandwidth\""),
    ("limit-data", "requests have no bytes; nearest: kind = \"cut-body\" or \"reset\" with `delay`"),
    ("memory-stress", "memory matters when it runs out: kind = \"memory-leak\""),
    ("io-stress", "disks are not modelled; what requests feel of it is kind = \"slow\""),
    ("disk-fill", "disks are not modelled; what requests feel of it is kind = \"errors\" or \"crash\""),
    ("cpu-stress", "write kind = \"cpu\" with rate = \"80%\""),
    ("cpu-hog", "write kind = \"cpu\" with rate = \"80%\""),
    ("load", "load is no fault: write [load] burst = [{ at = \"60s\", for = \"10s\", rate = \"2000/s\" }]"),
    ("flood", "load is no fault: write [load] burst = [{ at = \"60s\", for = \"10s\", rate = \"2000/s\" }]"),
    ("dns-spoof", "answers lead to tasks or nowhere; nearest: kind = \"dns-freeze\" or \"dns-fail\""),
    ("keep-alive-race", "it happens by itself where idle time-outs differ; see scsim explain service.keep_alive"),
    ("zonal-shift", "a shift is a change somebody makes; what it answers to is kind = \"az-outage\""),
];

/// The kind of that name or alias.
pub fn find(name: &str) -> Option<&'static Word> {
    WORDS.iter().find(|word| word.name == name || word.aliases.contains(&name))
}

/// What to write in place of a word that means nothing here.
pub fn no_meaning(name: &str) -> Option<&'static str> {
    NO_MEANING.iter().find(|(word, _)| *word == name).map(|(_, advice)| *advice)
}

/// All words, aliases included.
pub fn all() -> impl Iterator<Item = &'static str> {
    WORDS.iter().flat_map(|word| std::iter::once(word.name).chain(word.aliases.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_a_kind_is_a_key_and_no_word_has_two_meanings() {
        let mut seen = std::collections::BTreeSet::new();
        for word in WORDS {
            assert!(word.keys.iter().all(|key| KEYS.contains(key)), "{}", word.name);
        }
        for word in all() {
            assert!(seen.insert(word), "{word} twice");
            assert_eq!(no_meaning(word), None);
        }
    }
}
