// P-256 in software, for the tests on Linux: what a phone's chip does on a phone.
#pragma once

#include <stddef.h>
#include <stdint.h>

// A key, or none where OpenSSL fails. Freed with test_chip_free.
typedef struct TestChipKey TestChipKey;

TestChipKey *_Nullable test_chip_make(void);
void test_chip_free(TestChipKey *_Nullable key);

// Writes the public point, 65 bytes, uncompressed. Gives 1 where that worked.
int test_chip_public(const TestChipKey *_Nonnull key, uint8_t *_Nonnull point);

// Signs by ECDSA with SHA-256, in DER form. `signature` has room for 80 bytes; gives the length, 0 where it failed.
size_t test_chip_sign(const TestChipKey *_Nonnull key, const uint8_t *_Nonnull message, size_t length,
                      uint8_t *_Nonnull signature);
