// A throw-away certificate authority and a blocking TLS server for tests. Test code only.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

namespace brevet::net {

struct OpenSslFree {
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(X509* p) const { X509_free(p); }
  void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
  void operator()(SSL* p) const { SSL_free(p); }
};
template <class T>
using OpenSslPtr = std::unique_ptr<T, OpenSslFree>;

/// A root certificate, and one that it signed for `alternative_name` ("IP:127.0.0.1", "DNS:localhost").
class TestAuthority {
 public:
  explicit TestAuthority(const std::string& alternative_name)
      : root_key_(EVP_EC_gen("P-256")), key_(EVP_EC_gen("P-256")) {
    root_ = make("Test Root", root_key_.get(), nullptr, "CA:TRUE", "");
    leaf_ = make("Test Leaf", key_.get(), root_.get(), "CA:FALSE", alternative_name);
    char name[] = "/tmp/brevet-test-ca-XXXXXX";
    const int descriptor = ::mkstemp(name);
    path_ = name;
    FILE* file = ::fdopen(descriptor, "w");
    PEM_write_X509(file, root_.get());
    std::fclose(file);
  }
  ~TestAuthority() { ::unlink(path_.c_str()); }
  TestAuthority(const TestAuthority&) = delete;
  TestAuthority& operator=(const TestAuthority&) = delete;

  const std::string& ca_file() const { return path_; }

  /// Accepts TLS on a connected socket; null when the handshake failed.
  OpenSslPtr<SSL> accept(int descriptor) {
    if (!context_) {
      context_.reset(SSL_CTX_new(TLS_server_method()));
      SSL_CTX_use_certificate(context_.get(), leaf_.get());
      SSL_CTX_use_PrivateKey(context_.get(), key_.get());
    }
    OpenSslPtr<SSL> out(SSL_new(context_.get()));
    SSL_set_fd(out.get(), descriptor);
    if (SSL_accept(out.get()) != 1) out.reset();
    return out;
  }

 private:
  OpenSslPtr<X509> make(const char* name, EVP_PKEY* key, X509* issuer, const char* constraints,
                        const std::string& alternative_name) {
    OpenSslPtr<X509> out(X509_new());
    X509_set_version(out.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(out.get()), issuer ? 2 : 1);
    X509_gmtime_adj(X509_getm_notBefore(out.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(out.get()), 24 * 3600);
    X509_set_pubkey(out.get(), key);
    X509_NAME* subject = X509_get_subject_name(out.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name), -1,
                               -1, 0);
    X509_set_issuer_name(out.get(), issuer ? X509_get_subject_name(issuer) : subject);
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer ? issuer : out.get(), out.get(), nullptr, nullptr, 0);
    const auto extend = [&](int kind, const std::string& value) {
      X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
      X509_add_ext(out.get(), extension, -1);
      X509_EXTENSION_free(extension);
    };
    extend(NID_basic_constraints, std::string("critical,") + constraints);
    if (!alternative_name.empty()) extend(NID_subject_alt_name, alternative_name);
    X509_sign(out.get(), root_key_.get(), EVP_sha256());
    return out;
  }

  OpenSslPtr<EVP_PKEY> root_key_, key_;
  OpenSslPtr<X509> root_, leaf_;
  OpenSslPtr<SSL_CTX> context_;
  std::string path_;
};

}  // namespace brevet::net
