//! The worst texts known cost memory in proportion to their size and work within named limits.
//!
//! Work is counted, not timed: in records, mistakes, texts asked for, and in allocations.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use nss_zonefile::limits::{ENTRY_SIZE_MAX, GENERATED_RECORDS_MAX, INCLUDE_DEPTH_MAX, INCLUDES_MAX};
use nss_zonefile::{Error, ErrorKind, Limits, Options, Reader, StreamReader};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static OCTETS: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(size: isize) {
    let octets = OCTETS.get().wrapping_add(size);
    OCTETS.set(octets);
    PEAK.set(PEAK.get().max(octets));
}

// SAFETY: all calls go to the system's allocator unchanged; the counters are plain numbers that need no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        count(layout.size() as isize);
        // SAFETY: the caller's promise about `layout` is the one `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: `pointer` came from `alloc` above, and so from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // Both may be there for a moment.
        count(size as isize);
        count(-(layout.size() as isize));
        // SAFETY: as for `dealloc`; the caller promises that `size` is valid.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What reading cost.
#[derive(Debug, Default)]
struct Cost {
    records: u64,
    /// The octets of owners and RDATA.
    data: u64,
    mistakes: Vec<Error>,
    allocations: u64,
    /// The most octets held at once, beyond the text and the mistakes that are kept here.
    peak: isize,
}

fn measure(read: impl FnOnce(&mut Cost)) -> Cost {
    let mut cost = Cost { mistakes: Vec::with_capacity(200), ..Cost::default() };
    let (allocations, octets) = (ALLOCATIONS.get(), OCTETS.get());
    PEAK.set(octets);
    read(&mut cost);
    Cost { allocations: ALLOCATIONS.get() - allocations, peak: PEAK.get() - octets, ..cost }
}

fn options() -> Options {
    Options { default_ttl: Some(60), ..Options::for_zone(nss_wire::Name::ROOT) }
}

fn take(cost: &mut Cost, mut reader: Reader<'_>) {
    while let Some(result) = reader.next() {
        match result {
            Ok(entry) => {
                cost.records += 1;
                cost.data += (entry.record.owner.wire_len() + entry.record.rdata.len()) as u64;
            }
            Err(error) => cost.mistakes.push(error),
        }
    }
}

/// Reads a text and holds that it took no more than so many octets of memory for each of its own.
fn check(text: &str, octets_per_octet: isize) -> Cost {
    let cost = measure(|cost| take(cost, Reader::new(text.as_bytes(), &options())));
    let allowed = FIXED + octets_per_octet * text.len().min(ENTRY_SIZE_MAX as usize) as isize;
    let start: String = text.chars().take(20).collect();
    assert!(cost.peak <= allowed, "{start:?}: {} octets at once for {} of text", cost.peak, text.len());
    assert!(cost.mistakes.len() <= Limits::default().errors_max as usize + 1);
    cost
}

/// The reader's own buffers, and a hundred mistakes with what each of them shows.
const FIXED: isize = 200_000;

#[test]
fn an_entry_of_any_tokens_takes_memory_in_proportion() {
    // A token of one octet and a blank is the most that can be asked for: 12 octets for each two, twice while growing.
    for unit in ["x ", "( ", "(", ")", "\"\" ", "\"", "\\", "\\0", ";", "() ", "x(y)", "$", ".", "\u{e9} "] {
        let text = unit.repeat(250_000 / unit.len());
        check(&text, 24);
        check(&format!("a TXT {text}"), 24);
        check(&format!("a TXT ( {text}\n)"), 24);
        check(&format!("a NS {text}"), 24);
        check(&format!("a NSEC b {text}"), 24);
        check(&format!("a SVCB 1 . {text}"), 24);
        check(&format!("a TYPE65280 \\# 1 {text}"), 24);
    }
}

#[test]
fn a_million_mistakes_are_given_up_long_before() {
    for (line, lines_max) in [("a B\n", 10_200), ("a A 192.0.2.256\n", 10_200), ("\u{7}\n", 10_200), ("a (\n", 120)] {
        // Of a parenthesis that is never closed, all that an entry can have is looked at.
        let cost = check(&line.repeat(1_000_000), if line.contains('(') { 24 } else { 0 });
        let last = cost.mistakes.last().unwrap();
        assert!(matches!(last.kind, ErrorKind::TooManyErrors { is_complete: false, .. }), "{last:?}");
        assert!(last.line <= lines_max, "{line:?}: read to line {}", last.line);
        // Those that are only counted cost a little each, and those that are told some more.
        assert!(cost.allocations < 60_000, "{line:?}: {} allocations", cost.allocations);
    }
}

#[test]
fn a_mistake_in_a_long_line_shows_a_part_of_it() {
    let long = "x".repeat(ENTRY_SIZE_MAX as usize - 100);
    let text = format!("a A {long}\n").repeat(3);
    let cost = measure(|cost| take(cost, Reader::new(text.as_bytes(), &options())));
    assert_eq!(cost.mistakes.len(), 3);
    assert!(cost.mistakes.iter().all(|error| error.report().to_string().len() < 2000));
    assert!(cost.peak < FIXED, "{} octets", cost.peak);
}

#[test]
fn lines_without_a_record_cost_next_to_nothing() {
    for (line, allocations) in [("\n", 0), (";\n", 0), (" \t\n", 0), ("\r", 0), ("() ;\n", 0), ("$TTL 1\n", 1)] {
        let cost = check(&line.repeat(100_000), 0);
        assert_eq!((cost.records, cost.mistakes.len()), (0, 0), "{line:?}");
        assert!(cost.allocations < 50 + allocations * 100_000, "{line:?}: {} allocations", cost.allocations);
    }
}

#[test]
fn generate_gives_so_many_records_and_so_much_data_in_all() {
    let over = |text: &str| {
        let cost = check(text, 24);
        let last = cost.mistakes.last().unwrap_or_else(|| panic!("{text:.60} is taken"));
        assert_eq!(last.kind, ErrorKind::GenerateCount { records_max: GENERATED_RECORDS_MAX });
        assert!(last.to_string().contains("count more than 65536, each once"), "{last}");
        cost.records
    };
    assert_eq!(over("$GENERATE 0-2147483647 h$ A 192.0.2.1"), 0);
    assert_eq!(over("$GENERATE 1-65537 h$ A 192.0.2.1"), 0);
    assert_eq!(over("$GENERATE 1-65536 h$ A 192.0.2.1\n$GENERATE 1-1 h$ A 192.0.2.1"), 65_536);

    // Long records count more than once, so that a megabyte of text does not become gigabytes.
    let long = "\"0123456789012345678901234567890123456789012345678901234567890123456789\" ".repeat(800);
    assert_eq!(over(&format!("$GENERATE 1-60000 h$ TXT {long}")), 0);
    assert_eq!(over(&format!("$GENERATE 1-60000 h$ TXT {}", "${0,255} ".repeat(200))), 0);
    let cost = check(&format!("$GENERATE 1-1000 h$ TXT {long}"), 24);
    assert_eq!((cost.records, cost.mistakes.len()), (1000, 0));
    let most = u64::from(GENERATED_RECORDS_MAX) * 1024;
    assert!(cost.data < most, "{} octets", cost.data);
}

#[test]
fn rdata_ends_at_65535_octets() {
    let digits = "00".repeat(65_535);
    assert_eq!(check(&format!("a TYPE65280 \\# 65535 {digits}"), 24).data, 65_535 + 3);
    let string = |size: usize| format!("\"{}\" ", "\\000".repeat(size));
    let full = string(255).repeat(255);
    assert_eq!(check(&format!("a TXT {full}{}", string(254)), 24).data, 65_535 + 3);
    let cost = check(&format!("a TXT {full}{}", string(255)), 24);
    assert_eq!(cost.mistakes[0].kind, ErrorKind::RdataTooLong);
    let cost = check(&format!("a DNSKEY 257 3 13 {}", "AAAA".repeat(100_000)), 24);
    assert_eq!(cost.mistakes[0].kind, ErrorKind::RdataTooLong);
}

#[test]
fn texts_that_include_themselves_end_at_the_depth_and_at_the_number() {
    let reads = Cell::new(0);
    let including = |text: &'static str| {
        let cost = measure(|cost| {
            let reader = Reader::new(text.as_bytes(), &options()).with_includes(|_| {
                reads.set(reads.get() + 1);
                Ok(text.as_bytes().into())
            });
            take(cost, reader);
        });
        assert!(cost.peak < FIXED, "{} octets", cost.peak);
        (reads.replace(0), cost)
    };
    let (texts, cost) = including("$INCLUDE a\n");
    assert_eq!(texts, INCLUDE_DEPTH_MAX);
    assert_eq!(cost.mistakes[0].kind, ErrorKind::IncludeDepth { depth_max: INCLUDE_DEPTH_MAX });
    // Twice at each depth would be a thousand and more, three times a hundred thousand.
    let (texts, _) = including("$INCLUDE a\n$INCLUDE a\n$INCLUDE a\nb A 192.0.2.1\n");
    assert_eq!(texts, INCLUDES_MAX);
}

#[test]
fn a_line_without_end_is_passed_in_pieces_in_constant_memory() {
    let limits = Limits { entry_size_max: 10_000, ..Limits::default() };
    for (start, filler) in [("a TXT \"", "x"), ("a TXT (", " x\n"), ("a TXT ( \"x\" ;", ";"), ("a ", "\\"), ("(", "(")]
    {
        let piece = filler.repeat((64 << 10) / filler.len());
        let cost = measure(|cost| {
            let mut reader = StreamReader::new(&Options { limits, ..options() });
            reader.feed(start.as_bytes());
            for _ in 0..100 {
                reader.feed(piece.as_bytes());
                while let Some(result) = reader.next() {
                    cost.mistakes.extend(result.err());
                }
            }
            reader.feed(b"\n)\nlast A 192.0.2.1\n");
            take(cost, reader.finish());
        });
        // A piece, and what of an entry is kept with its tokens.
        assert!(cost.peak < 600_000, "{start:?}: {} octets", cost.peak);
        assert!(cost.mistakes.len() <= 101, "{start:?}");
    }
}
