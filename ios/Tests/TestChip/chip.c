#include "TestChip.h"

#include <openssl/ec.h>
#include <openssl/evp.h>

struct TestChipKey {
    EVP_PKEY *pair;
};

TestChipKey *test_chip_make(void) {
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    if (!pair) return NULL;
    TestChipKey *key = OPENSSL_malloc(sizeof *key);
    if (key) {
        key->pair = pair;
    } else {
        EVP_PKEY_free(pair);
    }
    return key;
}

void test_chip_free(TestChipKey *key) {
    if (!key) return;
    EVP_PKEY_free(key->pair);
    OPENSSL_free(key);
}

int test_chip_public(const TestChipKey *key, uint8_t *point) {
    size_t length = 0;
    return EVP_PKEY_get_octet_string_param(key->pair, "encoded-pub-key", point, 65, &length) == 1 && length == 65;
}

size_t test_chip_sign(const TestChipKey *key, const uint8_t *message, size_t length, uint8_t *signature) {
    size_t written = 80;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int well = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key->pair) == 1 &&
               EVP_DigestSign(context, signature, &written, message, length) == 1;
    EVP_MD_CTX_free(context);
    return well ? written : 0;
}
