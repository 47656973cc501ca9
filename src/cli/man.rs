//! The manual: one page for each command.
//!
//! Names, descriptions and options are laid out by `clap_mangen`; the synopsis and what stands below the
//! options in the help are laid out here. There `clap_mangen` would name each of sixty options, and would fill
//! a table of examples as if it were prose.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::error::CliError;
use super::output::print_text;
use crate::exit::Exit;
use crate::report::AtomicFile;

const EXAMPLES: &str = "\
Examples:
  refleet man | man -l -                       read the main page
  refleet man /usr/local/share/man/man1        install all of them
  refleet man pages                            into a folder, to look at them";

/// Print the manual, or write all of its pages into a folder.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ManArgs {
    /// Folder for `refleet.1` and a page of each command; made where it is missing [default: print the main page]
    pub dir: Option<PathBuf>,
}

/// A page of the manual.
struct Page {
    file: String,
    text: String,
}

/// `program`: the whole command line.
pub fn man(args: &ManArgs, program: clap::Command) -> Result<Exit, CliError> {
    let pages = pages(program).map_err(CliError::System)?;
    match &args.dir {
        Some(dir) => {
            write_all(&pages, dir).map_err(|source| CliError::Output {
                what: format!("the manual into {}", dir.display()),
                source,
            })?;
        }
        None => pages
            .iter()
            .take(1)
            .try_for_each(|main| print_text(&main.text))?,
    }
    Ok(Exit::Done)
}

fn write_all(pages: &[Page], dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    for Page { file, text } in pages {
        let mut file = AtomicFile::create(&dir.join(file))?;
        file.write_all(text.as_bytes())?;
        file.commit()?;
    }
    Ok(())
}

/// The main page, and those of its commands.
fn pages(program: clap::Command) -> io::Result<Vec<Page>> {
    // A page for `help`, and for the help of each command, would say nothing.
    let mut program = program.disable_help_subcommand(true);
    program.build();
    let source = format!(
        "{} {}",
        program.get_name(),
        program.get_version().unwrap_or_default()
    );
    let mut pages = Vec::new();
    add_pages(&program, None, &source, &mut pages)?;
    Ok(pages)
}

fn add_pages(
    command: &clap::Command,
    above: Option<&str>,
    source: &str,
    pages: &mut Vec<Page>,
) -> io::Result<()> {
    let name = command
        .get_display_name()
        .unwrap_or_else(|| command.get_name());
    pages.push(Page {
        file: format!("{name}.1"),
        text: page(command, above, source)?,
    });
    let commands = command.get_subcommands();
    for below in commands.filter(|below| !below.is_hide_set()) {
        add_pages(below, Some(name), source, pages)?;
    }
    Ok(())
}

/// No date stands in it: the same program gives the same page.
fn page(command: &clap::Command, above: Option<&str>, source: &str) -> io::Result<String> {
    let name = command
        .get_display_name()
        .unwrap_or_else(|| command.get_name());
    let mut out = Vec::new();
    // Paths and options are to be copied: no word is broken, and no line is stretched.
    writeln!(
        out,
        ".TH {name} 1 \"\" \"{source}\" \"Manual of refleet\"\n.nh\n.ad l"
    )?;
    let man = Man::new(command.clone());
    man.render_name_section(&mut out)?;
    synopsis(command).to_writer(&mut out)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut out)?;
    }
    let help = command.get_after_long_help().or(command.get_after_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    below_the_options(&help, above).to_writer(&mut out)?;
    Ok(as_ascii(&String::from_utf8_lossy(&out)))
}

fn synopsis(command: &clap::Command) -> Roff {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").lines().map(str::trim);
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    as_it_stands(&mut roff, usage.filter(|line| !line.is_empty()));
    roff
}

/// What begins with a line that ends in a colon is a section; the rest are remarks.
fn below_the_options(help: &str, above: Option<&str>) -> Roff {
    let mut roff = Roff::new();
    for paragraph in help.split("\n\n").filter(|text| !text.trim().is_empty()) {
        let mut lines = paragraph.lines();
        let heading = lines.clone().next();
        if let Some(heading) = heading.and_then(|line| line.strip_suffix(':')) {
            roff.control("SH", [heading.to_uppercase().as_str()]);
            as_it_stands(&mut roff, lines.by_ref().skip(1));
        } else {
            roff.control("SH", ["NOTES"]);
            lines.for_each(|line| {
                roff.text([roman(line)]);
            });
        }
    }
    if let Some(above) = above {
        roff.control("SH", ["SEE ALSO"]);
        roff.text([roman(format!("{above}(1)"))]);
    }
    roff
}

/// Lines that are not joined to a paragraph.
fn as_it_stands<'a>(roff: &mut Roff, lines: impl Iterator<Item = &'a str>) {
    roff.control("nf", []);
    lines.for_each(|line| {
        roff.text([roman(line)]);
    });
    roff.control("fi", []);
}

/// Whoever formats it need not know its encoding.
fn as_ascii(page: &str) -> String {
    let mut ascii = String::with_capacity(page.len());
    for character in page.chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            // Writing to a String cannot fail.
            let _ = write!(ascii, "\\[u{:04X}]", u32::from(character));
        }
    }
    ascii
}
