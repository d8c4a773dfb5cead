//! Reading a record allocates nothing once the reader's buffers have their size.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use nss_zonefile::{Options, Reader};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: all calls go to the system's allocator unchanged; the counter is a plain number that needs no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise about `layout` is the one `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `alloc` above, and so from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
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
