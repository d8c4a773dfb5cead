//! The configuration files of both daemons.

/// Any text is a configuration or is refused with words that lead to the mistake.
pub fn config(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    if let Err(error) = nssd::config::Config::from_toml(text) {
        assert_leads_to_mistake(text, &error.to_string(), &["[[zone]]", "server.listen"]);
    }
    match nss_api::config::Config::from_toml(text) {
        Ok(config) => assert!(!config.name_servers.is_empty() && !config.listen_addresses().is_empty()),
        Err(error) => assert_leads_to_mistake(
            text,
            &error.to_string(),
            &["name_servers", "delegation_check", "listen", "log.level", "parent.", "limits."],
        ),
    }
}

/// The mistake is at a line and column of the text; settings that are wrong only together are named instead.
fn assert_leads_to_mistake(text: &str, error: &str, keys: &[&str]) {
    if keys.iter().any(|key| error.starts_with(key)) || error.starts_with("two [[zone]]") {
        return;
    }
    let (line, column) = place(error).unwrap_or_else(|| panic!("no line and column in: {error}"));
    // A mistake may be at the end of the text, behind the last line.
    let lines: Vec<&str> = text.split('\n').collect();
    assert!((1..=lines.len()).contains(&line), "line {line} of {}: {error}", lines.len());
    // The toml crate counts characters, but octets and the line's end where the text ends within a mistake.
    let columns = lines[line - 1].len() + 2;
    assert!((1..=columns).contains(&column), "column {column} of {columns}: {error}");
}

/// The numbers in "line 3, column 7".
fn place(error: &str) -> Option<(usize, usize)> {
    let (_, rest) = error.split_once("line ")?;
    let (line, rest) = rest.split_once(", column ")?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    Some((line.parse().ok()?, rest[..digits].parse().ok()?))
}
