//! Named stories: one seed in, one outcome with its event log out.
//!
//! A story that fails prints the command that replays it:
//! `cargo xtask sim --story NAME --seed N`.

use std::fmt;

use crate::log::{EventLog, LogHash};

mod adversary;
mod exchange;
mod lifetime;
mod nat;
mod overlay;

/// One entry of the list of stories.
#[derive(Clone, Copy, Debug)]
pub struct Story {
    /// The name given to `--story`.
    pub name: &'static str,
    /// One line about what happens and what must hold.
    pub about: &'static str,
    play: Play,
}

/// What came of one run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Which story.
    pub name: &'static str,
    /// Its seed.
    pub seed: u64,
    /// The event log; empty unless asked for.
    pub log: Vec<String>,
    /// Hash of the event log.
    pub hash: LogHash,
    /// What the story measured, as a clause; or the first expectation that did not hold.
    pub result: Result<String>,
}

/// The error is what did not hold.
type Result<T> = std::result::Result<T, String>;

/// A story's body: what it measured, or what did not hold.
type Play = fn(seed: u64, log: &EventLog) -> Result<String>;

/// All stories, in the order of the documentation.
pub fn list() -> &'static [Story] {
    STORIES
}

/// Plays one story; `log` says whether the text of the event log is kept.
///
/// # Errors
/// When no story has this name; the message lists those that exist.
pub fn run(name: &str, seed: u64, log: bool) -> Result<Outcome> {
    let story = STORIES
        .iter()
        .find(|story| story.name == name)
        .ok_or_else(|| {
            let names: Vec<_> = STORIES.iter().map(|story| story.name).collect();
            format!("no story is named {name:?}; there are {}", names.join(", "))
        })?;
    let events = EventLog::new(log);
    let result = (story.play)(seed, &events);
    let hash = events.hash();
    Ok(Outcome {
        name: story.name,
        seed,
        log: events.take_lines(),
        hash,
        result,
    })
}

/// Plays `name` for each seed and panics on the first that fails, with the command to replay it.
///
/// # Panics
/// When a seed fails or the story does not exist: this is the assertion of tests.
pub fn assert_all_hold(name: &str, seeds: impl IntoIterator<Item = u64>) -> Vec<Outcome> {
    let play = |seed| {
        let outcome = run(name, seed, false).unwrap_or_else(|error| panic!("{error}"));
        assert!(outcome.ok(), "{}", outcome.verdict());
        outcome
    };
    seeds.into_iter().map(play).collect()
}

impl Outcome {
    /// Whether everything held.
    pub const fn ok(&self) -> bool {
        self.result.is_ok()
    }

    /// What to print about this run.
    pub const fn verdict(&self) -> Verdict<'_> {
        Verdict(self)
    }
}

/// One line (two on failure) about an outcome.
#[derive(Clone, Copy, Debug)]
pub struct Verdict<'a>(&'a Outcome);

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome { name, seed, .. } = self.0;
        match &self.0.result {
            Ok(measured) => write!(out, "{name}: holds ({measured})"),
            Err(broken) => write!(
                out,
                "{name}: seed {seed} fails: {broken}\n  replay: cargo xtask sim --story {name} --seed {seed}"
            ),
        }
    }
}

/// The error of a story, made only when `holds` is false.
fn expect(holds: bool, broken: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(broken()) }
}

const fn story(name: &'static str, about: &'static str, play: Play) -> Story {
    Story { name, about, play }
}

const STORIES: &[Story] = &[
    story(
        "base-exchange",
        "20 % loss, duplicates, overtaking: establishes and carries data, or fails with a reason",
        exchange::base_exchange,
    ),
    story(
        "base-exchange-corrupt",
        "a quarter of all packets damaged: nothing corrupt is believed or delivered",
        exchange::corrupt,
    ),
    story(
        "crossing-exchange",
        "both ends start, at every offset: one association, agreed SPIs",
        exchange::crossing,
    ),
    story(
        "burst-loss-ladder",
        "Gilbert-Elliott loss, rung by seed, 0.1 % to 25 %: through the 12 % rung in 30 s",
        exchange::burst_ladder,
    ),
    story(
        "peer-restart",
        "one end loses its state: data resumes after one exchange",
        lifetime::peer_restart,
    ),
    story(
        "close",
        "closed by one end or both, on good and bad links: both forget, and can begin anew",
        lifetime::close,
    ),
    story(
        "unused-association",
        "traffic keeps an association, silence ends it",
        lifetime::unused,
    ),
    story(
        "traffic-under-loss",
        "bad link under load: no inner packet twice or damaged",
        lifetime::traffic,
    ),
    story(
        "nat-grid",
        "two initiators behind each of nine kinds of NAT box, one public responder",
        nat::grid,
    ),
    story(
        "nat-raw-blocked",
        "raw HIP behind a UDP-only box fails with a reason, UDP then works",
        nat::raw_blocked,
    ),
    story(
        "reopen",
        "data right after a close, from either end: a new association at once",
        lifetime::reopen,
    ),
    story(
        "replay-attack",
        "everything ever sent is sent again: nothing changes, nothing arrives twice",
        adversary::replay,
    ),
    story(
        "forged-packets",
        "damaged, cut and stretched packets in every state: nothing changes",
        adversary::forged,
    ),
    story(
        "chaos",
        "three hosts send, close, restart and lose one another: afterwards all can talk",
        adversary::chaos,
    ),
    story(
        "overlay-join",
        "2 to 16 peers join: one right ring, all reachable",
        overlay::join,
    ),
    story(
        "overlay-put-get",
        "values stored anywhere are read everywhere; only the writer replaces or removes",
        overlay::put_get,
    ),
    story(
        "overlay-kill-one",
        "three of twelve peers vanish in turn: every value stays readable",
        overlay::kill_one,
    ),
    story(
        "overlay-churn",
        "peers come and go: look-ups succeed, no wrong answer, the ring recovers",
        overlay::churn,
    ),
    story(
        "overlay-flaky-links",
        "links refused and broken at random: peers join all the same, no value is lost",
        overlay::flaky_links,
    ),
    story(
        "overlay-partition",
        "split in half, then healed: one ring again, nothing lost",
        overlay::partition,
    ),
    story(
        "overlay-over-hip",
        "the overlay inside ESP of simulated hosts: join, store, kill, come back",
        overlay::over_hip,
    ),
];
