//! Takes values off the front of an input; where it ends, the values are zero or empty.

/// What is left of an input.
#[derive(Debug)]
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    /// One byte.
    pub fn byte(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    /// Two bytes, most significant first.
    pub fn short(&mut self) -> u16 {
        u16::from_be_bytes(self.array())
    }

    /// Eight bytes, most significant first.
    pub fn long(&mut self) -> i64 {
        i64::from_be_bytes(self.array())
    }

    /// So many bytes; what is missing is zero.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let front = self.slice(N);
        array[..front.len()].copy_from_slice(front);
        array
    }

    /// So many bytes, or what is left.
    pub fn slice(&mut self, length: usize) -> &'a [u8] {
        let (front, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        front
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
