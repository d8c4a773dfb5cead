//! `cargo xtask man`: the manual pages of both daemons, made of what clap knows of their command lines.

use std::path::PathBuf;

use clap::Args;

use crate::failure::{Context, Outcome};
use crate::workspace::root;

#[derive(Args)]
pub(crate) struct Options {
    /// Where to put the pages
    #[arg(long, value_name = "DIRECTORY")]
    out: Option<PathBuf>,
}

/// Writes `nssd.1`, `nss-api.1` and a page for each of their commands, such as `nssd-check-zone.1`.
pub(crate) fn run(options: &Options) -> Outcome {
    let directory = options.out.clone().unwrap_or_else(|| root().join("target/man"));
    std::fs::create_dir_all(&directory).context(directory.display())?;
    for (name, page) in pages()? {
        let path = directory.join(name);
        std::fs::write(&path, page).context(path.display())?;
        println!("{}", path.display());
    }
    Ok(())
}

/// The names of the pages and their text.
fn pages() -> Outcome<Vec<(String, Vec<u8>)>> {
    let mut pages = Vec::new();
    collect(nssd::cli::command(), "nssd", "nssd", &mut pages)?;
    collect(nss_api::cli::command(), "nss-api", "nss-api", &mut pages)?;
    Ok(pages)
}

/// Adds the page of a command and those of its subcommands.
fn collect(command: clap::Command, page: &str, usage: &str, pages: &mut Vec<(String, Vec<u8>)>) -> Outcome {
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        let name = subcommand.get_name();
        collect(subcommand.clone(), &format!("{page}-{name}"), &format!("{usage} {name}"), pages)?;
    }
    let mut text = Vec::new();
    // The page has the name that man(1) finds it by, its synopsis the words that are typed.
    let command = command.display_name(page.to_owned()).bin_name(usage.to_owned()).disable_help_subcommand(true);
    clap_mangen::Man::new(command).render(&mut text).context(page)?;
    pages.push((format!("{page}.1"), text));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_its_options_and_exit_codes() {
        let pages = pages().unwrap();
        let page = |name: &str| {
            let (_, text) = pages.iter().find(|(page, _)| page == name).unwrap_or_else(|| panic!("{name}"));
            String::from_utf8(text.clone()).unwrap()
        };
        assert!(page("nssd.1").contains("check\\-zone") && page("nssd.1").contains("Exit codes"));
        let check = page("nssd-check-zone.1");
        for words in ["\\-\\-json", "\\-\\-deny", "missing\\-final\\-dot", "Exit codes", "nssd check\\-zone"] {
            assert!(check.contains(words), "{words}\n{check}");
        }
        assert!(page("nssd-format-zone.1").contains("\\-\\-check"));
        assert!(page("nssd-ctl-put.1").contains("nssd ctl put"));
        let api = page("nss-api.1");
        assert!(
            api.contains("check\\-config") && api.contains("Exit codes") && api.contains("nss\\-api\\-serve"),
            "{api}"
        );
        assert!(page("nss-api-serve.1").contains("/etc/nssd/nss\\-api.toml"), "{}", page("nss-api-serve.1"));
    }
}
