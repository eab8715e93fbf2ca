//! Figures taken on real daemons: ratios within one run, never absolute promises.

use std::fmt::Write as _;
use std::path::Path;

use crate::daemon::{Daemon, DaemonConfig, PeerEntry};
use crate::process::LabError;
use crate::{Lab, programs, topology};

/// iperf3 through hip0 (UDP 10500 and raw ESP) beside the raw veth pair, three interleaved rounds;
/// a Markdown table of medians.
pub fn tunnel(binaries: &Path) -> Result<String, LabError> {
    let lab = Lab::new()?;
    let net = topology::pair(&lab)?;
    let mut rates: [Vec<f64>; 3] = Default::default();
    for _ in 0..3 {
        rates[0].push(programs::iperf3(
            &net.a.namespace,
            &net.b.namespace,
            &net.b.v4.to_string(),
            3,
        )?);
        for (slot, prefix) in [(1, ""), (2, "raw:")] {
            rates[slot].push(through_hip(&lab, &net, binaries, prefix)?);
        }
    }
    let median = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(0.0)
    };
    let [veth, udp, raw] = &mut rates;
    let (veth, udp, raw) = (median(veth), median(udp), median(raw));
    let mut table = String::from("| path | TCP, one stream, Gbit/s | x veth |\n|---|---|---|\n");
    for (name, rate) in [
        ("veth, no tunnel", veth),
        ("hip0, AES-128-GCM over UDP 10500", udp),
        ("hip0, AES-128-GCM, raw ESP", raw),
    ] {
        let _ = writeln!(table, "| {name} | {rate:.2} | {:.3} |", rate / veth);
    }
    Ok(table)
}

fn through_hip(
    lab: &Lab,
    net: &topology::Pair,
    binaries: &Path,
    prefix: &str,
) -> Result<f64, LabError> {
    let mut a = Daemon::prepare(lab.directory(), &net.a.namespace, "a", binaries)?;
    let mut b = Daemon::prepare(lab.directory(), &net.b.namespace, "b", binaries)?;
    a.configure(&DaemonConfig::default())?;
    b.configure(&DaemonConfig::default())?;
    let (hit_a, hit_b) = (a.hit()?, b.hit()?);
    let entry = |hit: &str, name: &str, at: std::net::IpAddr| PeerEntry {
        hit: hit.to_owned(),
        name: name.to_owned(),
        locators: vec![format!("{prefix}{at}")],
    };
    a.configure(&DaemonConfig {
        peers: vec![entry(&hit_b, "b", net.b.v4)],
        ..DaemonConfig::default()
    })?;
    b.configure(&DaemonConfig {
        peers: vec![entry(&hit_a, "a", net.a.v4)],
        ..DaemonConfig::default()
    })?;
    a.start()?;
    b.start()?;
    a.ask(&["up", "b"])?;
    let rate = programs::iperf3(&net.a.namespace, &net.b.namespace, &hit_b, 3)?;
    a.stop()?;
    b.stop()?;
    Ok(rate)
}
