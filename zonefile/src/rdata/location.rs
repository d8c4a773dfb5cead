//! LOC: a place on Earth, `d [m [s]] N|S d [m [s]] E|W alt[m] [size[m] [hp[m] [vp[m]]]]` (RFC 1876 §3).

use nom::Parser;
use nom::bytes::complete::{tag, take_while, take_while_m_n};
use nom::character::complete::char;
use nom::combinator::{all_consuming, opt, recognize};
use nom::sequence::{preceded, terminated};

use super::Rdata;
use crate::error::{ErrorKind, FieldError};
use crate::number::decimal;
use crate::tokens::{Fault, Parsed, Tokens};

impl Rdata<'_> {
    pub(super) fn location<'a>(&mut self, i: Tokens<'a>) -> Parsed<'a, ()> {
        let metres = "a size or precision in metres from 0 to 90000000.00m";
        let size = || opt(self.part(|text| power_of_ten(self::metres(text)?), metres));
        let (rest, (latitude, longitude, altitude, sizes)) = (
            self.angle(90, *b"NS", "a latitude such as 52 14 5.5 N"),
            self.angle(180, *b"EW", "a longitude such as 4 29 0 E"),
            self.part(altitude, "an altitude in metres from -100000.00m to 42849672.95m"),
            (size(), size(), size()),
        )
            .parse(i)?;
        // Only a token that is no size keeps a size from being read while tokens are left.
        let (_, ()) = if sizes.2.is_none() { rest.expect_end(|| self.unlike(metres))? } else { (rest, ()) };
        let [size, horizontal, vertical] = DEFAULT_SIZES;
        self.out.push(0);
        self.out.push(sizes.0.unwrap_or(size));
        self.out.push(sizes.1.unwrap_or(horizontal));
        self.out.push(sizes.2.unwrap_or(vertical));
        for number in [latitude, longitude, altitude] {
            self.out.extend_from_slice(&number.to_be_bytes());
        }
        Ok((rest, ()))
    }

    /// Degrees, minutes, seconds and the side, in thousandths of a second from 2^31 on.
    fn angle<'a>(
        &self,
        degrees_max: u64,
        sides: [u8; 2],
        expected: &'static str,
    ) -> impl Parser<Tokens<'a>, Output = u32, Error = Fault> {
        let side = move |text: &[u8]| match text {
            &[side] => sides.iter().position(|it| it.eq_ignore_ascii_case(&side)),
            _ => None,
        };
        let minutes = self.part(|text| decimal(text, 59), expected);
        let thousandths = self.part(|text| fixed_point::<3>(text).filter(|&seconds| seconds < 60_000), expected);
        let mut parts = (
            self.part(move |text| decimal(text, degrees_max), expected),
            opt((minutes, opt(thousandths))),
            self.part(side, expected),
        );
        let unlike = self.unlike(expected);
        move |tokens: Tokens<'a>| {
            let (rest, (degrees, finer, side)) = parts.parse(tokens)?;
            let (minutes, thousandths) = finer.unwrap_or((0, None));
            let distance = degrees * 3_600_000 + minutes * 60_000 + thousandths.unwrap_or(0);
            if distance > degrees_max * 3_600_000 {
                return tokens.map(|_| None, || unlike.clone());
            }
            let distance = distance as u32;
            Ok((rest, if side == 0 { ZERO + distance } else { ZERO - distance }))
        }
    }

    /// One token that `read` understands.
    fn part<'a, T>(
        &self,
        read: impl Fn(&[u8]) -> Option<T>,
        expected: &'static str,
    ) -> impl Parser<Tokens<'a>, Output = T, Error = Fault> {
        let (missing, unlike) = (self.missing(), self.unlike(expected));
        move |tokens: Tokens<'a>| {
            let kind = if tokens.is_empty() { &missing } else { &unlike };
            tokens.map(|lexeme| read(lexeme.text).filter(|_| !lexeme.token.is_quoted), || kind.clone())
        }
    }

    fn unlike(&self, expected: &'static str) -> ErrorKind {
        self.wrong(FieldError::Form { expected })
    }
}

/// The equator and the prime meridian.
const ZERO: u32 = 1 << 31;

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
