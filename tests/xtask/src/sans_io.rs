//! The sans-IO line: the crates below it may not reach for sockets, clocks, threads, files or randomness.
//!
//! Three guards: clippy's disallowed types and methods (hip/clippy.toml, overlay/clippy.toml), the
//! dependency tree, and a scan of the sources for the same names under any alias.

use crate::shell::{cargo, files, output, relative};

/// Crates below the line, with their directories.
pub(crate) const BELOW: [(&str, &str); 5] = [
    ("hip-wire", "hip/wire"),
    ("hip-crypto", "hip/crypto"),
    ("hip-core", "hip/core"),
    ("hip-esp", "hip/esp"),
    ("reload-core", "overlay/core"),
];

/// Packages that bring IO, a runtime or a clock with them.
const FORBIDDEN_PACKAGES: [&str; 12] = [
    "tokio",
    "mio",
    "socket2",
    "nix",
    "rustix",
    "quinn-udp",
    "tun-rs",
    "rtnetlink",
    "redb",
    "async-io",
    "chrono",
    "rayon",
];

/// Names that no source below the line may mention outside its tests.
const FORBIDDEN_NAMES: [&str; 14] = [
    "tokio::",
    "std::fs",
    "std::thread",
    "std::process",
    "std::env",
    "std::io::stdin",
    "std::time::Instant",
    "std::time::SystemTime",
    "SystemTime::now",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "UnixStream",
    "UNIX_EPOCH",
];

/// Runs the dependency and source checks.
pub(crate) fn run() -> Result<(), String> {
    let mut broken = Vec::new();
    for (package, directory) in BELOW {
        let tree = output(
            "cargo tree",
            cargo().args([
                "tree",
                "--offline",
                "--edges",
                "normal",
                "--prefix",
                "none",
                "--format",
                "{p}",
                "-p",
                package,
            ]),
        )?;
        for line in tree.lines() {
            let name = line.split_whitespace().next().unwrap_or("");
            if FORBIDDEN_PACKAGES.contains(&name) {
                broken.push(format!("{package} depends on {name}"));
            }
        }
        for path in files(&format!("{directory}/src"), "rs") {
            let text =
                std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", relative(&path)))?;
            broken.extend(scan(&relative(&path), &text));
        }
    }
    broken.dedup();
    if broken.is_empty() {
        println!("sans-IO line holds: {} crates below it", BELOW.len());
        return Ok(());
    }
    Err(format!(
        "the sans-IO line is broken (docs/architecture.md):\n  {}",
        broken.join("\n  ")
    ))
}

/// Forbidden names in the code of one file (comments are not code; `mod tests` files may do as they like).
fn scan(name: &str, text: &str) -> Vec<String> {
    if name.ends_with("tests.rs") || name.contains("/tests/") {
        return Vec::new();
    }
    let code = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or(text);
    let mut found = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let line = line.split("//").next().unwrap_or(line);
        for forbidden in FORBIDDEN_NAMES {
            if line.contains(forbidden) {
                found.push(format!("{name}:{}: {forbidden}", number + 1));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::scan;

    #[test]
    fn a_clock_in_code_is_found_with_its_line() {
        let found = scan(
            "x.rs",
            "fn f() {\n    let t = std::time::Instant::now();\n}\n",
        );
        assert_eq!(found, ["x.rs:2: std::time::Instant"]);
    }

    #[test]
    fn comments_and_tests_may_name_a_clock() {
        let text =
            "// std::time::Instant stops in suspend\n#[cfg(test)]\nmod tests {\n use std::fs;\n}\n";
        assert!(scan("x.rs", text).is_empty());
    }
}
