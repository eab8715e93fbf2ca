//! `hipctl hosts`: list and edit the hosts file. hipctl edits, hipd only reads.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Common, Out, client::Client, text};
use crate::api::{ApiError, ErrorCode, Hosts, KnownHost, Request, Status};
use crate::config::{Config, DEFAULT_PATH};
use crate::hosts_edit::{Change, edit};

/// Arguments of `hipctl hosts`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  hipctl hosts\n  hipctl hosts add 2001:20::1 bob 192.0.2.2\n  hipctl hosts add 2001:20::1 bob raw:192.0.2.2 [2001:db8::2]:10500\n  hipctl hosts remove bob"
)]
pub struct HostsArgs {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the entries hipd uses
    #[command(after_help = "Example:\n  hipctl hosts list")]
    List,
    /// Add a host, or names and locators to a known one
    #[command(
        after_help = "Examples:\n  hipctl hosts add 2001:20::1 bob 192.0.2.2\n  hipctl hosts add 2001:20::1 bob raw:192.0.2.2\n\nLocators: ADDRESS, ADDRESS:PORT, [V6ADDRESS]:PORT (UDP) or raw:ADDRESS."
    )]
    Add {
        /// HIT of the host (`hipctl id` there prints it)
        hit: String,
        /// Its name; several joined by commas
        name: String,
        /// Where it can be reached, best first
        locators: Vec<String>,
        /// Forget its old names and locators first
        #[arg(long)]
        replace: bool,
        /// The hosts file [default: the one hipd reads]
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Remove a host
    #[command(after_help = "Example:\n  hipctl hosts remove bob")]
    Remove {
        /// Its name or HIT
        host: String,
        /// The hosts file [default: the one hipd reads]
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Let hipd read the file again at once
    #[command(after_help = "Example:\n  hipctl hosts reload")]
    Reload,
}

pub(super) fn run(args: &HostsArgs, common: &Common, out: &mut Out) -> Result<(), ApiError> {
    match &args.action {
        None | Some(Action::List) => super::ask_and_show(common, out, Request::Hosts, render),
        Some(Action::Reload) => {
            super::ask_and_show(common, out, Request::HostsReload, |hosts: &Hosts| {
                format!(
                    "{} from {}",
                    text::count(hosts.hosts.len(), "host"),
                    hosts.file
                )
            })
        }
        Some(Action::Add {
            hit,
            name,
            locators,
            replace,
            file,
        }) => {
            let change = Change::add(hit, name, locators, *replace)?;
            apply(file.as_ref(), &change, common, out)
        }
        Some(Action::Remove { host, file }) => {
            apply(file.as_ref(), &Change::Remove(host.clone()), common, out)
        }
    }
}

/// Edits the file, then lets a running daemon read it.
fn apply(
    file: Option<&PathBuf>,
    change: &Change,
    common: &Common,
    out: &mut Out,
) -> Result<(), ApiError> {
    let mut client = match Client::connect(&common.socket()) {
        Ok(client) => Some(client),
        Err(error) if error.code == ErrorCode::Unreachable => None,
        Err(error) if file.is_none() => return Err(error),
        Err(_) => None,
    };
    let in_use = match &mut client {
        Some(client) => Some(PathBuf::from(
            client.ask::<Status>(Request::Status)?.hosts_file,
        )),
        None => None,
    };
    let path = match (file, &in_use) {
        (Some(file), _) => file.clone(),
        (None, Some(in_use)) => in_use.clone(),
        (None, None) => {
            Config::load(std::path::Path::new(DEFAULT_PATH), false)
                .map_err(|e| ApiError::new(ErrorCode::System, e.to_string()))?
                .hosts_file
        }
    };
    let entry = edit(&path, change)?;
    let reload = client.filter(|_| in_use.as_ref() == Some(&path));
    let live = reload.is_some();
    if let Some(mut client) = reload {
        let _: Hosts = client.ask(Request::HostsReload)?;
    }
    let hosts = Hosts {
        file: path.display().to_string(),
        hosts: entry.into_iter().collect(),
    };
    out.show(&hosts, |hosts| {
        let done = if matches!(change, Change::Remove(_)) {
            "removed from"
        } else {
            "written to"
        };
        let name = hosts.hosts.first().map(name_of).unwrap_or_default();
        let next = if live {
            ""
        } else {
            " (hipd does not run; it reads the file when it starts)"
        };
        format!("{name} {done} {}{next}", hosts.file)
    })
}

fn name_of(host: &KnownHost) -> String {
    host.names
        .first()
        .cloned()
        .unwrap_or_else(|| host.hit.clone())
}

pub(super) fn render(hosts: &Hosts) -> String {
    if hosts.hosts.is_empty() {
        return format!(
            "{} names no hosts; add one with: hipctl hosts add HIT NAME ADDRESS\n",
            hosts.file
        );
    }
    let rows: Vec<Vec<String>> = hosts
        .hosts
        .iter()
        .map(|host| {
            vec![
                host.names.join(","),
                host.hit.clone(),
                host.lsi.clone().unwrap_or_else(|| "-".to_owned()),
                host.locators.join(" "),
            ]
        })
        .collect();
    text::table(&["NAME", "HIT", "LSI", "LOCATORS"], &rows)
}
