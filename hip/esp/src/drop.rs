//! Why a packet went no further: one table of names, one counter each.

/// Declares [`DropReason`] with the name of each reason, in one list.
macro_rules! drop_reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// Why the data plane dropped a packet. Counted, never logged above debug.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum DropReason {
            $($(#[$doc])* $variant,)+
        }

        impl DropReason {
            /// Every reason, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in status output and metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

drop_reasons! {
    /// Not a whole IPv4 or IPv6 packet.
    MalformedInner = "malformed-inner",
    /// The inner destination is neither a HIT nor an LSI of a peer (multicast, router solicitations).
    NotForPeer = "not-for-peer",
    /// The inner source is not the address this SA is bound to (RFC 7402 B.1.5).
    ForeignSource = "foreign-source",
    /// An inner IPv4 fragment: BEET has no room for the fragment fields.
    InnerFragment = "inner-fragment",
    /// A next header that means something else inside ESP of HIP (1, 59 or 94 to a HIT).
    ReservedNextHeader = "reserved-next-header",
    /// Too short for the header of its transport protocol.
    TruncatedTransport = "truncated-transport",
    /// Larger than an ESP packet can carry at all.
    Oversize = "oversize",
    /// No sequence number is left on the outbound SA (RFC 4303 §3.3.3).
    SequenceExhausted = "sequence-exhausted",
    /// The cipher refused to seal.
    SealFailed = "seal-failed",
    /// Shorter than the smallest ESP packet of its SA.
    Truncated = "truncated",
    /// The encrypted part is no whole number of cipher blocks or 32-bit words.
    Misaligned = "misaligned",
    /// An SPI of 0 to 255 (RFC 4303 §2.1).
    ReservedSpi = "reserved-spi",
    /// No SA has this SPI.
    UnknownSpi = "unknown-spi",
    /// The sequence number was seen before.
    Replayed = "replayed",
    /// Older than the replay window.
    TooOld = "too-old",
    /// The integrity check failed.
    IcvFailed = "icv-failed",
    /// The padding is not 1, 2, 3... or longer than the packet.
    BadPadding = "bad-padding",
    /// A dummy packet (next header 59): dropped quietly, as it should be.
    Dummy = "dummy",
    /// The BEET pseudo header (next header 94) is malformed.
    BadPseudoHeader = "bad-pseudo-header",
    /// The peer sent IPv4, and has no LSI here.
    NoLsi = "no-lsi",
    /// IPv4 options that would steer a packet (source routes).
    SourceRoute = "source-route",
    /// ICMP that only a router or neighbour may send (redirects, neighbour discovery).
    LinkControl = "link-control",
    /// The pending queue of the peer was full: the oldest packet made room.
    PendingFull = "pending-full",
}

/// One counter per [`DropReason`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropCounters {
    counts: [u64; DropReason::ALL.len()],
}

impl Default for DropCounters {
    fn default() -> Self {
        Self {
            counts: [0; DropReason::ALL.len()],
        }
    }
}

impl DropCounters {
    /// Counts one packet.
    pub fn add(&mut self, reason: DropReason) {
        if let Some(count) = self.counts.get_mut(reason as usize) {
            *count = count.wrapping_add(1);
        }
    }

    /// How many packets went for this reason.
    pub fn get(&self, reason: DropReason) -> u64 {
        self.counts.get(reason as usize).copied().unwrap_or(0)
    }

    /// Every reason with its count, zeros included.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL
            .iter()
            .copied()
            .zip(self.counts.iter().copied())
    }

    /// The sum over all reasons.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// What one table did since it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Packets sealed or opened, dummies included.
    pub packets: u64,
    /// Inner bytes sealed or opened.
    pub bytes: u64,
    /// Packets answered with an ICMP error instead.
    pub icmp: u64,
    /// Packets dropped, by reason.
    pub drops: DropCounters,
}
