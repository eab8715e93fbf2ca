//! `cargo xtask compliance`: the requirement lists of docs/compliance against the ids cited in the sources.
//!
//! A list is a table with tab-separated columns `id section level status note requirement`. `tested` means that
//! code cites the id and a test cites it too; `not applicable` and `departure` need a note; the rest is `planned`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::Args;

use crate::shell::{files, relative, root};

/// Options of `compliance`.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// Rewrites planned to tested, and back, from the citations found.
    #[arg(long)]
    update: bool,
}

const STATUSES: [&str; 4] = ["tested", "not applicable", "departure", "planned"];

struct Row {
    id: String,
    rest: [String; 2],
    status: String,
    note: String,
    requirement: String,
}

#[derive(Default)]
struct Citations {
    code: BTreeMap<String, String>,
    tests: BTreeMap<String, String>,
}

/// Checks every list and prints a line per file.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let citations = collect()?;
    let lists = files("docs/compliance", "tsv");
    let mut known = BTreeSet::new();
    let mut wrong = Vec::new();
    println!(
        "{:<14}{:>6}{:>8}{:>16}{:>11}{:>9}",
        "list", "rows", "tested", "not applicable", "departure", "planned"
    );
    for path in &lists {
        let mut rows = read(path)?;
        if options.update {
            refresh(&mut rows, &citations);
            write(path, &rows)?;
        }
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let count = |status: &str| rows.iter().filter(|r| r.status == status).count();
        println!(
            "{name:<14}{:>6}{:>8}{:>16}{:>11}{:>9}",
            rows.len(),
            count("tested"),
            count("not applicable"),
            count("departure"),
            count("planned")
        );
        for row in &rows {
            wrong.extend(check(&name, row, &citations));
            known.insert(row.id.clone());
        }
    }
    for (id, place) in citations.code.iter().chain(&citations.tests) {
        if !known.contains(id) {
            wrong.push(format!(
                "{place} cites {id}, which no list in docs/compliance has"
            ));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!(
        "docs/compliance and the sources disagree (`cargo xtask compliance --update` follows the citations):\n  {}",
        wrong.join("\n  ")
    ))
}

fn check(list: &str, row: &Row, citations: &Citations) -> Option<String> {
    let id = &row.id;
    let in_test = citations.tests.get(id);
    match row.status.as_str() {
        "tested" if in_test.is_none() => Some(format!(
            "{list}: {id} is marked tested, but no test cites it"
        )),
        "tested" if !citations.code.contains_key(id) => Some(format!(
            "{list}: {id} is marked tested, but no code cites it"
        )),
        "not applicable" | "departure" if row.note.is_empty() => Some(format!(
            "{list}: {id} is marked {} without a reason",
            row.status
        )),
        "planned" if in_test.is_some() && citations.code.contains_key(id) => Some(format!(
            "{list}: {id} is marked planned, but code and a test cite it"
        )),
        status if !STATUSES.contains(&status) => {
            Some(format!("{list}: {id} has the unknown status `{status}`"))
        }
        _ => None,
    }
}

fn refresh(rows: &mut [Row], citations: &Citations) {
    for row in rows {
        let both = citations.code.contains_key(&row.id) && citations.tests.contains_key(&row.id);
        match (row.status.as_str(), both) {
            ("planned", true) => row.status = "tested".into(),
            ("tested", false) => row.status = "planned".into(),
            _ => {}
        }
    }
}

fn read(path: &Path) -> Result<Vec<Row>, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", relative(path)))?;
    let mut rows = Vec::new();
    for (number, line) in text.lines().enumerate().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [id, section, level, status, note, requirement] = columns[..] else {
            return Err(format!(
                "{}:{}: {} columns instead of 6",
                relative(path),
                number + 1,
                columns.len()
            ));
        };
        rows.push(Row {
            id: id.into(),
            rest: [section.into(), level.into()],
            status: status.into(),
            note: note.into(),
            requirement: requirement.into(),
        });
    }
    Ok(rows)
}

fn write(path: &Path, rows: &[Row]) -> Result<(), String> {
    let mut text = String::from("id\tsection\tlevel\tstatus\tnote\trequirement\n");
    for row in rows {
        let [section, level] = &row.rest;
        text.push_str(
            &[
                &row.id,
                section,
                level,
                &row.status,
                &row.note,
                &row.requirement,
            ]
            .map(String::as_str)
            .join("\t"),
        );
        text.push('\n');
    }
    std::fs::write(path, text).map_err(|e| format!("{}: {e}", relative(path)))
}

/// Where each id is cited first, in code and in tests.
fn collect() -> Result<Citations, String> {
    let mut citations = Citations::default();
    for path in ["src", "hip", "overlay", "tests"]
        .iter()
        .flat_map(|d| files(d, "rs"))
    {
        let name = relative(&path);
        if name.starts_with("tests/xtask/") {
            continue;
        }
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{name}: {e}"))?;
        let mut in_test =
            name.ends_with("tests.rs") || name.contains("/tests/") || name.starts_with("tests/");
        for (number, line) in text.lines().enumerate() {
            in_test |= line.trim_start().starts_with("#[cfg(test)]")
                && !text_module_follows(&text, number);
            for id in ids(line) {
                let table = if in_test {
                    &mut citations.tests
                } else {
                    &mut citations.code
                };
                table
                    .entry(id.to_owned())
                    .or_insert_with(|| format!("{name}:{}", number + 1));
            }
        }
    }
    Ok(citations)
}

/// Whether the `#[cfg(test)]` at this line only declares a sibling file (`mod tests;`).
fn text_module_follows(text: &str, number: usize) -> bool {
    text.lines()
        .nth(number + 1)
        .is_some_and(|l| l.trim_end().ends_with(';'))
}

/// Requirement ids in a line: `7401-6.9-04`.
fn ids(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '-'))
        .map(|word| word.trim_end_matches(['.', '-']))
        .filter(|word| {
            let mut parts = word.splitn(2, '-');
            let rfc = parts.next().unwrap_or("");
            let rest = parts.next().unwrap_or("");
            rfc.len() == 4
                && rfc.bytes().all(|b| b.is_ascii_digit())
                && rest.rsplit_once('-').is_some_and(|(section, number)| {
                    !section.is_empty()
                        && !number.is_empty()
                        && number.bytes().next().is_some_and(|b| b.is_ascii_digit())
                })
                && root_list_exists(rfc)
        })
}

fn root_list_exists(rfc: &str) -> bool {
    root()
        .join(format!("docs/compliance/rfc{rfc}.tsv"))
        .is_file()
}

#[cfg(test)]
mod tests {
    use super::{Citations, Row, check, ids};

    fn row(status: &str, note: &str) -> Row {
        Row {
            id: "7401-6.9-04".into(),
            rest: ["6.9".into(), "MUST".into()],
            status: status.into(),
            note: note.into(),
            requirement: String::new(),
        }
    }

    #[test]
    fn ids_are_found_in_a_comment_and_dates_are_not() {
        let found: Vec<_> = ids("// 7401-6.9-04, 7402-3.3.5-01: since 2026-11-22.").collect();
        assert_eq!(found, ["7401-6.9-04", "7402-3.3.5-01"]);
    }

    #[test]
    fn tested_without_a_citing_test_is_an_error() {
        assert!(check("x", &row("tested", ""), &Citations::default()).is_some());
    }

    #[test]
    fn a_departure_needs_a_reason() {
        assert!(check("x", &row("departure", ""), &Citations::default()).is_some());
        assert!(check("x", &row("departure", "why"), &Citations::default()).is_none());
    }
}
