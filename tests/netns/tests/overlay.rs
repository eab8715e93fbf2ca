//! Eight real daemons: an overlay whose peers are configured and addressed by HIT only.

use hip_lab::demo::{get, overlay_daemons};
use hip_lab::{Daemon, Lab, LabError, binary_directory, topology};

const SIZE: usize = 8;

fn joined(peers: &mut [Daemon]) -> Result<(), LabError> {
    for peer in peers.iter_mut() {
        peer.start()?;
    }
    for peer in peers.iter() {
        peer.ask(&["wait", "overlay", "--peers", "3"])?;
    }
    Ok(())
}

/// Prints how every peer sees the ring, for a failure's report.
fn describe(peers: &[Daemon]) {
    for peer in peers {
        match peer.ask(&["overlay", "status"]) {
            Ok(status) => println!("{}: {status}", peer.name()),
            Err(error) => println!("{}: {error}", peer.name()),
        }
    }
}

/// A small generator, so that a failing run can be told from its seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % bound
    }
}

#[test]
fn two_hundred_values_put_and_got_through_random_peers() -> Result<(), LabError> {
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut draw = Draw(seed);
    let lab = Lab::new()?;
    let net = topology::star(&lab, SIZE)?;
    let mut peers = overlay_daemons(&lab, &net, &binary_directory()?)?;
    joined(&mut peers)?;
    for number in 0..200 {
        let (put, read) = (draw.below(SIZE), draw.below(SIZE));
        let (name, value) = (
            format!("name-{number}"),
            format!("value {number} of seed {seed}"),
        );
        peers[put].ask(&["overlay", "put", &name, &value])?;
        assert_eq!(
            get(&peers[read], &name)?,
            value,
            "put on {put}, got on {read}"
        );
    }
    for peer in &mut peers {
        peer.stop()?;
    }
    Ok(())
}

#[test]
fn no_value_is_lost_whichever_peer_is_killed_and_it_rejoins_by_itself() -> Result<(), LabError> {
    let lab = Lab::new()?;
    let net = topology::star(&lab, SIZE)?;
    let mut peers = overlay_daemons(&lab, &net, &binary_directory()?)?;
    joined(&mut peers)?;
    let names: Vec<String> = (0..40).map(|n| format!("kept-{n}")).collect();
    for (number, name) in names.iter().enumerate() {
        peers[number % SIZE].ask(&["overlay", "put", name, name])?;
    }
    for victim in 0..SIZE {
        peers[victim].kill();
        for (number, name) in names.iter().enumerate() {
            let reader = (victim + 1 + number % (SIZE - 1)) % SIZE;
            assert_eq!(
                &get(&peers[reader], name)?,
                name,
                "peer {victim} is dead, peer {reader} reads"
            );
        }
        peers[victim].start()?;
        if let Err(error) = peers[victim].ask(&["wait", "overlay", "--peers", "3"]) {
            describe(&peers);
            return Err(error);
        }
        assert_eq!(
            get(&peers[victim], &names[0])?,
            names[0],
            "read by the restarted peer {victim}"
        );
    }
    for peer in &mut peers {
        peer.stop()?;
    }
    Ok(())
}
