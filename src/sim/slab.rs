//! A store with typed, generation-checked places: a reference to something that is gone is
//! noticed, never followed. Nothing allocates once the store is as large as it gets.

use std::marker::PhantomData;

/// A reference into a [`Slab`] of `T`.
pub(super) struct Ref<T> {
    pub(super) slot: u32,
    generation: u32,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Ref<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Ref<T> {}
impl<T> PartialEq for Ref<T> {
    fn eq(&self, other: &Self) -> bool {
        self.slot == other.slot && self.generation == other.generation
    }
}

impl<T> Ref<T> {
    /// As one word, for names that leave the simulator.
    pub(super) fn word(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.slot)
    }
    /// Back from a word.
    pub(super) fn from_word(word: u64) -> Ref<T> {
        Ref { slot: word as u32, generation: (word >> 32) as u32, of: PhantomData }
    }
}

/// A store of `T`.
pub(super) struct Slab<T> {
    entries: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    pub(super) fn new() -> Slab<T> {
        Slab { entries: Vec::new(), free: Vec::new() }
    }
    /// Inserts a value that knows its own reference.
    #[inline]
    pub(super) fn insert_with(&mut self, make: impl FnOnce(Ref<T>) -> T) -> Ref<T> {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.entries.push((0, None));
            (self.entries.len() - 1) as u32
        });
        let at = Ref { slot, generation: self.entries[slot as usize].0, of: PhantomData };
        self.entries[slot as usize].1 = Some(make(at));
        at
    }
    #[inline]
    pub(super) fn get(&self, at: Ref<T>) -> Option<&T> {
        let entry = self.entries.get(at.slot as usize)?;
        if entry.0 == at.generation { entry.1.as_ref() } else { None }
    }
    #[inline]
    pub(super) fn get_mut(&mut self, at: Ref<T>) -> Option<&mut T> {
        let entry = self.entries.get_mut(at.slot as usize)?;
        if entry.0 == at.generation { entry.1.as_mut() } else { None }
    }
    #[inline]
    pub(super) fn remove(&mut self, at: Ref<T>) -> Option<T> {
        let entry = self.entries.get_mut(at.slot as usize)?;
        if entry.0 != at.generation {
            return None;
        }
        let value = entry.1.take()?;
        entry.0 = entry.0.wrapping_add(1);
        self.free.push(at.slot);
        Some(value)
    }
    /// References to all that are there, by slot.
    pub(super) fn refs(&self) -> impl Iterator<Item = (Ref<T>, &T)> {
        self.entries.iter().enumerate().filter_map(|(slot, (generation, value))| {
            value.as_ref().map(|v| (Ref { slot: slot as u32, generation: *generation, of: PhantomData }, v))
        })
    }
}
