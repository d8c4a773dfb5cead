//! Reading a record allocates nothing once the reader's buffers have their size.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use nss_zonefile::{Limits, Options, Reader, StreamReader};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static OCTETS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: all calls go to the system's allocator unchanged; the counter is a plain number that needs no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        OCTETS.with(|octets| octets.set(octets.get().wrapping_add(layout.size())));
        // SAFETY: the caller's promise about `layout` is the one `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        OCTETS.with(|octets| octets.set(octets.get().wrapping_sub(layout.size())));
        // SAFETY: `pointer` came from `alloc` above, and so from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        OCTETS.with(|octets| octets.set(octets.get().wrapping_add(size).wrapping_sub(layout.size())));
        // SAFETY: as for `dealloc`; the caller promises that `size` is valid.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const RECORDS: &str = "\
@ SOA ns hostmaster ( 1 ; serial
  1d 2h 4w 1h )
  NS ns
  MX 10 mail.example.
ns 300 IN A 192.0.2.1
   AAAA 2001:db8::1
txt TXT \"a \\\"b\\\" ; c\" d\\;e \\065
_sip._tcp SRV 0 5 5060 ns
caa CAA 0 issue \"ca.example; account=1\"
svc HTTPS 1 . alpn=\"h2,h3\" ipv4hint=192.0.2.1 key65280=x
apl APL 1:192.0.2.0/24 !2:2001:db8::/32
key DNSKEY 257 3 13 Zm9v YmFy
ds DS 1 13 2 0123456789abcdef0123456789abcdef 0123456789abcdef0123456789abcdef
sig RRSIG A 13 2 3600 20260131000000 20260101000000 1 example. Zm9v YmFy
n1 NSEC n2 A NS MX CAA
n3 NSEC3 1 0 0 ab vs0fu07v A CAA
gen TYPE65280 \\# 3 ab cdef
";

#[test]
fn records_of_any_common_type_are_read_without_allocation() {
    let text = format!("$ORIGIN example.\n$TTL 60\n{}", RECORDS.repeat(100));
    let options = Options::default();
    let mut reader = Reader::new(text.as_bytes(), &options);
    let mut read = |count: usize| {
        let before = ALLOCATIONS.with(Cell::get);
        for _ in 0..count {
            if let Err(error) = reader.next().expect("the text has more records") {
                panic!("{}", error.report());
            }
        }
        ALLOCATIONS.with(Cell::get) - before
    };
    // The first round fills the buffers, and shows that the counter counts.
    assert!(read(16) > 0);
    assert_eq!(read(99 * 16), 0);
    assert!(reader.next().is_none());
}

/// Plain lines, and lines for the grammar, of which none are the same.
fn piece(number: u32) -> String {
    let delegation = |i: u32| {
        let host = number.wrapping_mul(997).wrapping_add(i);
        format!("d{host}.example. 3600 IN NS ns1.host{i}.example.\nns{host}.example. 60 IN A 192.0.2.{}\n", i % 256)
    };
    (0..500).map(delegation).collect::<String>() + RECORDS
}

#[test]
fn a_long_stream_is_read_in_constant_memory_without_allocation() {
    let mut reader = StreamReader::new(&Options { default_ttl: Some(60), ..Options::for_zone(nss_wire::Name::ROOT) });
    let (mut records, mut rest, mut least, mut most) = (0, String::new(), usize::MAX, 0);
    for number in 0..200 {
        // Pieces end within lines, now here and now there.
        let text = rest + &piece(number);
        let (now, later) = text.split_at(text.len() - number as usize % 60);
        rest = later.to_owned();
        let (before, held) = (ALLOCATIONS.with(Cell::get), OCTETS.with(Cell::get));
        reader.feed(now.as_bytes());
        while let Some(entry) = reader.next() {
            records += usize::from(entry.is_ok());
        }
        if number > 10 {
            assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0, "piece {number}");
            assert_eq!(OCTETS.with(Cell::get), held, "piece {number}");
        }
        let held = held - text.capacity() - rest.capacity();
        (least, most) = (least.min(held), most.max(held));
    }
    assert!(records > 200 * 1000);
    // The buffers, which hold a piece and twice what an entry has.
    assert!(most < 1 << 18, "{least} to {most}");
}

#[test]
fn an_entry_without_end_is_not_kept() {
    let limits = Limits { entry_size_max: 10_000, ..Limits::default() };
    let mut reader = StreamReader::new(&Options { limits, ..Options::default() });
    let before = OCTETS.with(Cell::get);
    for start in ["a TXT \"", "a TXT ( \"x\" ;", "a TXT (\n ", "a TXT x", "a 1 A 192.0.2.1 ;"] {
        reader.feed(start.as_bytes());
        for _ in 0..1000 {
            reader.feed(&[b'x'; 1000]);
            while let Some(entry) = reader.next() {
                drop(entry);
            }
        }
        reader.feed(b"\n");
        assert!(OCTETS.with(Cell::get) - before < 200_000, "{start}");
    }
}
