//! A router and where it stands.
//!
//! *Knows* whose it is and how it hears of tasks. *Does not know* any call.

use super::deploy::Shift;
use super::record::NOBODY;
use crate::policy::Router;
use crate::units::Span;
use crate::units::Time;

/// A router and where it stands.
pub(super) struct RouterHost {
    pub(super) router: Router,
    /// The task it stands beside or in, or [`NOBODY`] for an ALB node's.
    pub(super) task: u32,
    /// Its ALB node, or [`NOBODY`].
    pub(super) node: u32,
    pub(super) zone: u8,
    /// The edge it serves, or [`NOBODY`] for an ALB node's.
    pub(super) edge: u32,
    /// The service it chooses among.
    pub(super) service: u32,
    pub(super) feed: Feed,
    /// The path it is on: 0, or 1 where callers move to a second one.
    pub(super) path: u8,
    /// The version of the list it has.
    pub(super) version: Option<u32>,
    /// The version of its own service's list that its zones come from.
    pub(super) neighbours: Option<u32>,
    pub(super) lookups: u64,
    /// No lookup before this: the name is known not to exist.
    pub(super) negative_until: Time,
    /// Its members' apps close connections that were idle for so long; [`Span::MAX`] is never.
    pub(super) app_idle: Span,
    /// When its next housekeeping event fires.
    pub(super) scheduled: Time,
    pub(super) panic_since: Option<Time>,
    /// Its task is gone.
    pub(super) dead: bool,
    /// The router for the other of two versions, or [`NOBODY`].
    pub(super) twin: u32,
    /// It is such a twin.
    pub(super) second: bool,
    /// How requests are shared out between the two, as far as it has heard.
    pub(super) shift: Shift,
    /// Its task has called a name in vain.
    pub(super) unresolved: bool,
}

impl RouterHost {
    /// A router that has heard of nobody, beside no task and in no node yet.
    pub(super) fn new(router: Router, zone: u8, service: u32, feed: Feed) -> RouterHost {
        RouterHost {
            router,
            task: NOBODY,
            node: NOBODY,
            zone,
            edge: NOBODY,
            service,
            feed,
            path: 0,
            version: None,
            neighbours: None,
            lookups: 0,
            negative_until: Time::ZERO,
            app_idle: Span::MAX,
            scheduled: Time::NEVER,
            panic_since: None,
            dead: false,
            twin: NOBODY,
            second: false,
            shift: Shift::default(),
            unresolved: false,
        }
    }
}

/// How a router hears of tasks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Feed {
    /// At once.
    Now,
    /// From the control plane, after its delay.
    Pushed,
    /// By asking DNS.
    Dns,
    /// It knows the ALB's nodes and nothing else.
    Nodes,
}

impl RouterHost {
    /// Whether what it sends arrives at tasks on ECS, and so at the sidecars before them if there are such.
    #[inline]
    pub(super) fn meets_proxies(&self) -> bool {
        match self.feed {
            Feed::Pushed | Feed::Dns => true,
            Feed::Now => self.node != NOBODY,
            Feed::Nodes => false,
        }
    }
}
