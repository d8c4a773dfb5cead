//! LOC: a place on Earth, `d [m [s]] N|S d [m [s]] E|W alt[m] [size[m] [hp[m] [vp[m]]]]` (RFC 1876 §3).

use nom::Parser;
use nom::bytes::complete::{tag, take_while, take_while_m_n};
use nom::character::complete::char;
use nom::combinator::{all_consuming, opt, recognize};
use nom::sequence::{preceded, terminated};

use super::Rdata;
use crate::number::decimal;
use crate::tokens::{Parsed, Tokens};

impl Rdata<'_> {
    pub(super) fn location<'a>(&mut self, i: Tokens<'a>) -> Parsed<'a, ()> {
        let (rest, latitude) = self.angle(i, 90, *b"NS", "a latitude such as 52 14 5.5 N")?;
        let (rest, longitude) = self.angle(rest, 180, *b"EW", "a longitude such as 4 29 0 E")?;
        let (mut rest, lexeme) = self.plain(rest)?;
        let altitude = altitude(lexeme.text)
            .ok_or_else(|| self.refuse(lexeme, "an altitude in metres from -100000.00m to 42849672.95m"))?;
        let mut sizes = DEFAULT_SIZES;
        for size in &mut sizes {
            if rest.is_empty() {
                break;
            }
            let (tail, lexeme) = self.plain(rest)?;
            *size = metres(lexeme.text)
                .and_then(power_of_ten)
                .ok_or_else(|| self.refuse(lexeme, "a size or precision in metres from 0 to 90000000.00m"))?;
            rest = tail;
        }
        self.out.push(0);
        self.out.extend_from_slice(&sizes);
        for number in [latitude, longitude, altitude] {
            self.out.extend_from_slice(&number.to_be_bytes());
        }
        Ok((rest, ()))
    }

    /// Degrees, minutes, seconds and the side, in thousandths of a second from 2^31 on.
    fn angle<'a>(&self, i: Tokens<'a>, degrees_max: u64, sides: [u8; 2], expected: &'static str) -> Parsed<'a, u32> {
        let (mut rest, mut lexeme) = self.plain(i)?;
        let mut thousandths =
            decimal(lexeme.text, degrees_max).ok_or_else(|| self.refuse(lexeme, expected))? * 3_600_000;
        for part in 0.. {
            (rest, lexeme) = self.plain(rest)?;
            if let &[side] = lexeme.text
                && let Some(side) = sides.iter().position(|it| it.eq_ignore_ascii_case(&side))
            {
                if thousandths > degrees_max * 3_600_000 {
                    return Err(self.refuse(lexeme, expected));
                }
                let zero = 1u32 << 31;
                let distance = thousandths as u32;
                return Ok((rest, if side == 0 { zero + distance } else { zero - distance }));
            }
            let value = match part {
                0 => decimal(lexeme.text, 59).map(|minutes| minutes * 60_000),
                1 => fixed_point::<3>(lexeme.text).filter(|&seconds| seconds < 60_000),
                _ => None,
            };
            thousandths += value.ok_or_else(|| self.refuse(lexeme, expected))?;
        }
        unreachable!("the third part is refused at the latest")
    }
}

/// Size, horizontal and vertical precision where none are written: 1 m, 10 km and 10 m (RFC 1876 §3).
const DEFAULT_SIZES: [u8; 3] = [0x12, 0x16, 0x13];

/// A decimal number with up to D digits behind the point, times 10^D.
fn fixed_point<const D: usize>(text: &[u8]) -> Option<u64> {
    let digits = |low, high| take_while_m_n::<_, _, ()>(low, high, |octet: u8| octet.is_ascii_digit());
    let (_, (whole, fraction)) =
        all_consuming((digits(1, 9), opt(preceded(char('.'), digits(0, D))))).parse(text).ok()?;
    let fraction = fraction.unwrap_or_default();
    let scale = 10u64.pow((D - fraction.len()) as u32);
    let fraction = if fraction.is_empty() { 0 } else { decimal(fraction, u64::MAX)? };
    Some(decimal(whole, u64::MAX)? * 10u64.pow(D as u32) + fraction * scale)
}

/// Centimetres from `12`, `12.34` or `12.34m`.
fn metres(text: &[u8]) -> Option<u64> {
    let number = recognize(take_while(|octet: u8| octet.is_ascii_digit() || octet == b'.'));
    let (_, number) = all_consuming(terminated(number, opt(tag::<_, _, ()>("m")))).parse(text).ok()?;
    fixed_point::<2>(number)
}

/// Centimetres above 100 000 m below the reference spheroid.
fn altitude(text: &[u8]) -> Option<u32> {
    let base = 10_000_000;
    let altitude = match text {
        [b'-', depth @ ..] => base - i64::try_from(metres(depth)?).ok()?,
        height => base + i64::try_from(metres(height)?).ok()?,
    };
    u32::try_from(altitude).ok()
}

/// Centimetres as one digit and a power of ten, a nibble each (RFC 1876 §2); further digits are dropped.
fn power_of_ten(centimetres: u64) -> Option<u8> {
    if centimetres > SIZE_MAX_CM {
        return None;
    }
    let (mut digit, mut exponent) = (centimetres, 0);
    while digit > 9 {
        digit /= 10;
        exponent += 1;
    }
    Some((digit as u8) << 4 | exponent)
}

/// The largest size: nine times ten to the ninth (RFC 1876 §2).
const SIZE_MAX_CM: u64 = 9_000_000_000;
