#include "net/tls.h"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <system_error>
#include <utility>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/quote.h"
#include "net/tls_session.h"
#include "net/transport.h"

namespace sonde::net {

struct TlsContext::Impl : std::enable_shared_from_this<TlsContext::Impl> {
  ~Impl() {
    SSL_CTX_free(context);
    BIO_meth_free(bio_method);
  }

  SSL_CTX* context = nullptr;
  BIO_METHOD* bio_method = nullptr;
  bool server = false;
  bool verify = true;                     // Clients: check the server's certificate and name.
  std::string server_name;                // Clients: instead of the URL's host.
  std::vector<std::string> allowed_sans;  // Servers.
};

namespace {

/// The first reason in OpenSSL's queue, which is emptied.
std::string OpenSslError() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "unknown error" : reason;
}

/// A certificate's time; the epoch if it cannot be read.
Timestamp TimeOf(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return {static_cast<std::int64_t>(::timegm(&parts)) * 1000};
}

Error BadFile(const char* what, const std::string& path) {
  std::error_code code;
  if (!std::filesystem::exists(path, code)) {
    return Error(ErrorKind::kNotFound, std::string(what) + " " + path + ": no such file");
  }
  return Error(ErrorKind::kInvalid, std::string(what) + " " + path + ": " + OpenSslError());
}

// ----------------------------------------------------------------------------------------------
// BIO on an IoSource OpenSSL's own socket BIO would raise SIGPIPE, and would not keep our readable
// and writable flags.

int BioWrite(BIO* bio, const char* bytes, int size) {
  auto& source = *static_cast<IoSource*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  while (true) {
    const ssize_t n = ::send(source.fd(), bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL);
    if (n >= 0) return static_cast<int>(n);
    if (errno == EINTR) continue;
    if (errno == EAGAIN) {
      source.ClearWritable();
      BIO_set_retry_write(bio);
    }
    return -1;
  }
}

int BioRead(BIO* bio, char* to, int size) {
  auto& source = *static_cast<IoSource*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (!source.readable()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  while (true) {
    const ssize_t n = ::recv(source.fd(), to, static_cast<std::size_t>(size), 0);
    if (n > 0) {
      if (n < size) source.ClearReadable();
      return static_cast<int>(n);
    }
    if (n == 0) return 0;
    if (errno == EINTR) continue;
    if (errno == EAGAIN) {
      source.ClearReadable();
      BIO_set_retry_read(bio);
    }
    return -1;
  }
}

long BioControl(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP || command == BIO_CTRL_PUSH ||
                 command == BIO_CTRL_POP
             ? 1
             : 0;
}

int BioCreate(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

int NoPassphrase(char*, int, int, void*) {
  return 0;
}  // Never ask on the terminal.

int SelectAlpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
               unsigned in_size, void*) {
  static constexpr unsigned char kHttp11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* selected = nullptr;
  if (SSL_select_next_proto(&selected, out_size, kHttp11, sizeof(kHttp11), in, in_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *out = selected;
  return SSL_TLSEXT_ERR_OK;
}

// ----------------------------------------------------------------------------------------------
// contexts

Result<std::shared_ptr<TlsContext::Impl>> NewContext(bool server) {
  auto impl = std::make_shared<TlsContext::Impl>();
  impl->server = server;
  impl->context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
  if (impl->context == nullptr) return Error(ErrorKind::kUnavailable, "OpenSSL: " + OpenSslError());
  impl->bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sonde");
  CHECK(impl->bio_method != nullptr);
  BIO_meth_set_write(impl->bio_method, &BioWrite);
  BIO_meth_set_read(impl->bio_method, &BioRead);
  BIO_meth_set_ctrl(impl->bio_method, &BioControl);
  BIO_meth_set_create(impl->bio_method, &BioCreate);
  SSL_CTX_set_mode(impl->context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
  // HTTP's own framing notices a cut message, and many servers close without a notice.
  SSL_CTX_set_options(impl->context, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION |
                                         SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_read_ahead(impl->context, 1);
  SSL_CTX_set_default_passwd_cb(impl->context, &NoPassphrase);
  return impl;
}

Result<int> VersionNumber(const std::string& name) {
  if (name == "TLS10") return TLS1_VERSION;
  if (name == "TLS11") return TLS1_1_VERSION;
  if (name == "TLS12") return TLS1_2_VERSION;
  if (name == "TLS13") return TLS1_3_VERSION;
  return Error(ErrorKind::kInvalid,
               "TLS version " + QuoteGo(name) + " is not one of TLS10, TLS11, TLS12, TLS13");
}

Status SetVersions(SSL_CTX* context, const std::string& min_version,
                   const std::string& max_version) {
  const int min = min_version.empty() ? TLS1_2_VERSION : TRY(VersionNumber(min_version));
  const int max = max_version.empty() ? 0 : TRY(VersionNumber(max_version));
  if (max != 0 && max < min) {
    return Error(ErrorKind::kInvalid,
                 "TLS: max_version " + max_version + " is older than min_version");
  }
  SSL_CTX_set_min_proto_version(context, min);
  SSL_CTX_set_max_proto_version(context, max);
  // OpenSSL 3 has no signature for the old versions at its default level.
  if (min < TLS1_2_VERSION) SSL_CTX_set_security_level(context, 0);
  return OkStatus();
}

Status UseCertificate(SSL_CTX* context, const std::string& certificate_file,
                      const std::string& key_file) {
  if (SSL_CTX_use_certificate_chain_file(context, certificate_file.c_str()) != 1) {
    return BadFile("certificate", certificate_file);
  }
  if (SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return BadFile("key", key_file);
  }
  if (SSL_CTX_check_private_key(context) != 1) {
    return Error(ErrorKind::kInvalid, "key " + key_file + " does not belong to certificate " +
                                          certificate_file + ": " + OpenSslError());
  }
  return OkStatus();
}

Status UseCaPem(SSL_CTX* context, const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  int count = 0;
  while (X509* certificate = PEM_read_bio_X509(bio, nullptr, &NoPassphrase, nullptr)) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate);
    X509_free(certificate);
    ++count;
  }
  BIO_free(bio);
  ERR_clear_error();  // The end of the text is an "error", too.
  if (count == 0) return Error(ErrorKind::kInvalid, "CA certificate: no PEM certificate in it");
  return OkStatus();
}

Status SetCipherSuites(SSL_CTX* context, const std::vector<std::string>& names) {
  if (names.empty()) return OkStatus();
  SSL_CTX_set_cipher_list(context, "ALL:COMPLEMENTOFALL");
  std::string list;
  const STACK_OF(SSL_CIPHER)* known = SSL_CTX_get_ciphers(context);
  for (const std::string& name : names) {
    bool found = false;
    for (int i = 0; i < sk_SSL_CIPHER_num(known) && !found; ++i) {
      const SSL_CIPHER* cipher = sk_SSL_CIPHER_value(known, i);
      const char* standard = SSL_CIPHER_standard_name(cipher);
      if (standard == nullptr || name != standard) continue;
      found = true;
      // TLS 1.3's suites are always on, as in Go.
      if (std::string_view(SSL_CIPHER_get_version(cipher)) == "TLSv1.3") continue;
      if (!list.empty()) list += ':';
      list += SSL_CIPHER_get_name(cipher);
    }
    if (!found) return Error(ErrorKind::kInvalid, "TLS: unknown cipher suite " + QuoteGo(name));
  }
  if (list.empty()) return OkStatus();
  if (SSL_CTX_set_cipher_list(context, list.c_str()) != 1) {
    return Error(ErrorKind::kInvalid, "TLS: cipher_suites: " + OpenSslError());
  }
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
  return OkStatus();
}

Status SetCurves(SSL_CTX* context, const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) {
    if (!list.empty()) list += ':';
    if (name == "CurveP256") {
      list += "P-256";
    } else if (name == "CurveP384") {
      list += "P-384";
    } else if (name == "CurveP521") {
      list += "P-521";
    } else if (name == "X25519") {
      list += "X25519";
    } else {
      return Error(ErrorKind::kInvalid, "TLS: unknown curve " + QuoteGo(name));
    }
  }
  if (!list.empty() && SSL_CTX_set1_groups_list(context, list.c_str()) != 1) {
    return Error(ErrorKind::kInvalid, "TLS: curve_preferences: " + OpenSslError());
  }
  return OkStatus();
}

/// True if one of the certificate's alternative names is on the list.
bool HasAllowedSan(const X509* certificate, const std::vector<std::string>& allowed) {
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  bool found = false;
  for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    std::string text;
    if (name->type == GEN_DNS || name->type == GEN_EMAIL || name->type == GEN_URI) {
      const ASN1_IA5STRING* ia5 = name->d.ia5;
      text.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(ia5)),
                  static_cast<std::size_t>(ASN1_STRING_length(ia5)));
    } else if (name->type == GEN_IPADD) {
      const ASN1_OCTET_STRING* ip = name->d.iPAddress;
      found = std::ranges::any_of(allowed, [&](const std::string& want) {
        ASN1_OCTET_STRING* parsed = a2i_IPADDRESS(want.c_str());
        const bool same = parsed != nullptr && ASN1_OCTET_STRING_cmp(parsed, ip) == 0;
        ASN1_OCTET_STRING_free(parsed);
        return same;
      });
      continue;
    }
    found = std::ranges::find(allowed, text) != allowed.end() && !text.empty();
  }
  ERR_clear_error();
  GENERAL_NAMES_free(names);
  return found;
}

}  // namespace

Result<std::shared_ptr<const TlsContext>> TlsContext::Server(const TlsServerOptions& options) {
  auto impl = TRY(NewContext(/*server=*/true));
  SSL_CTX* context = impl->context;
  TRY(SetVersions(context, options.min_version, options.max_version));
  TRY(UseCertificate(context, options.certificate_file, options.key_file));
  TRY(SetCipherSuites(context, options.cipher_suites));
  TRY(SetCurves(context, options.curve_preferences));
  if (!options.client_ca_file.empty()) {
    if (SSL_CTX_load_verify_file(context, options.client_ca_file.c_str()) != 1) {
      return BadFile("client CA", options.client_ca_file);
    }
    // Clients choose their certificate by the names of the CAs that the server accepts.
    SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(options.client_ca_file.c_str()));
    SSL_CTX_set_verify(
        context,
        SSL_VERIFY_PEER |
            (options.require_client_certificate ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
        nullptr);
  } else if (options.require_client_certificate) {
    return Error(ErrorKind::kInvalid,
                 "TLS: client certificates are required, but there is no client CA");
  }
  static constexpr unsigned char kSessionContext[] = "sonde";
  SSL_CTX_set_session_id_context(context, kSessionContext, sizeof(kSessionContext) - 1);
  SSL_CTX_set_alpn_select_cb(context, &SelectAlpn, nullptr);
  impl->allowed_sans = options.client_allowed_sans;
  return std::make_shared<const TlsContext>(std::move(impl));
}

Result<std::shared_ptr<const TlsContext>> TlsContext::Client(const TlsClientOptions& options) {
  auto impl = TRY(NewContext(/*server=*/false));
  SSL_CTX* context = impl->context;
  TRY(SetVersions(context, options.min_version, options.max_version));
  if (options.certificate_file.empty() != options.key_file.empty()) {
    return Error(ErrorKind::kInvalid,
                 "TLS: a client certificate needs both a certificate file and a key file");
  }
  if (!options.certificate_file.empty()) {
    TRY(UseCertificate(context, options.certificate_file, options.key_file));
  }
  if (!options.ca_file.empty() && SSL_CTX_load_verify_file(context, options.ca_file.c_str()) != 1) {
    return BadFile("CA", options.ca_file);
  }
  if (!options.ca_pem.empty()) TRY(UseCaPem(context, options.ca_pem));
  if (options.ca_file.empty() && options.ca_pem.empty()) SSL_CTX_set_default_verify_paths(context);
  impl->verify = !options.insecure_skip_verify;
  SSL_CTX_set_verify(context, impl->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  static constexpr unsigned char kHttp11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  SSL_CTX_set_alpn_protos(context, kHttp11, sizeof(kHttp11));
  impl->server_name = options.server_name;
  return std::make_shared<const TlsContext>(std::move(impl));
}

// ----------------------------------------------------------------------------------------------
// sessions

struct TlsSession::Impl {
  explicit Impl(std::shared_ptr<const TlsContext::Impl> shared_context)
      : context(std::move(shared_context)), ssl(SSL_new(context->context)) {
    CHECK(ssl != nullptr);
  }
  ~Impl() { SSL_free(ssl); }

  IoAttempt FromResult(int result) const;
  std::string FailureText(unsigned long code, int saved_errno) const;

  const std::shared_ptr<const TlsContext::Impl> context;  // Owns the BIO's methods.
  SSL* const ssl;
  bool failed = false;  // After a fatal error SSL_shutdown must not be called.
};

std::string TlsSession::Impl::FailureText(unsigned long code, int saved_errno) const {
  const long verify = SSL_get_verify_result(ssl);
  if (!context->server && context->verify && verify != X509_V_OK) {
    return std::string("certificate verify failed: ") + X509_verify_cert_error_string(verify);
  }
  if (code != 0) {
    const char* reason = ERR_reason_error_string(code);
    return reason == nullptr ? "protocol error" : reason;
  }
  return saved_errno == 0 ? "connection closed" : ErrnoText(saved_errno);
}

IoAttempt TlsSession::Impl::FromResult(int result) const {
  using Kind = IoAttempt::Kind;
  const int saved_errno = errno;
  if (result > 0) return {Kind::kMoved, static_cast<std::size_t>(result), {}};
  switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_WANT_READ:
      return {Kind::kNeedRead, 0, {}};
    case SSL_ERROR_WANT_WRITE:
      return {Kind::kNeedWrite, 0, {}};
    case SSL_ERROR_ZERO_RETURN:
      return {Kind::kEnd, 0, {}};
    default:
      break;
  }
  const unsigned long code = ERR_get_error();
  IoAttempt attempt{Kind::kFailed, 0, FailureText(code, saved_errno)};
  ERR_clear_error();
  return attempt;
}

TlsSession::TlsSession(const TlsContext& context, IoSource& source, std::string_view server_name)
    : impl_(std::make_unique<Impl>(context.impl().shared_from_this())) {
  const TlsContext::Impl& shared = *impl_->context;
  SSL* ssl = impl_->ssl;
  BIO* bio = BIO_new(shared.bio_method);
  CHECK(bio != nullptr);
  BIO_set_data(bio, &source);
  SSL_set_bio(ssl, bio, bio);
  if (shared.server) {
    SSL_set_accept_state(ssl);
    return;
  }
  SSL_set_connect_state(ssl);
  const std::string name(shared.server_name.empty() ? server_name : shared.server_name);
  const bool is_address = Address::FromLiteral(name, 0).size != 0;
  if (!is_address) SSL_set_tlsext_host_name(ssl, name.c_str());  // RFC 6066: names only.
  if (!shared.verify) return;
  X509_VERIFY_PARAM* parameters = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (is_address) {
    X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str());
  } else {
    X509_VERIFY_PARAM_set1_host(parameters, name.c_str(), name.size());
  }
}

TlsSession::~TlsSession() = default;

IoAttempt TlsSession::Handshake() {
  ERR_clear_error();
  IoAttempt attempt = impl_->FromResult(SSL_do_handshake(impl_->ssl));
  if (attempt.kind == IoAttempt::Kind::kFailed) impl_->failed = true;
  const auto& allowed = impl_->context->allowed_sans;
  if (attempt.kind == IoAttempt::Kind::kMoved && !allowed.empty()) {
    const X509* certificate = SSL_get0_peer_certificate(impl_->ssl);
    if (certificate == nullptr || !HasAllowedSan(certificate, allowed)) {
      return {IoAttempt::Kind::kFailed, 0,
              "the client's certificate has no allowed alternative name"};
    }
  }
  return attempt;
}

IoAttempt TlsSession::Read(char* to, std::size_t size) {
  ERR_clear_error();
  errno = 0;
  IoAttempt attempt = impl_->FromResult(
      SSL_read(impl_->ssl, to, static_cast<int>(std::min<std::size_t>(size, 1U << 30))));
  if (attempt.kind == IoAttempt::Kind::kFailed) impl_->failed = true;
  return attempt;
}

IoAttempt TlsSession::Write(std::string_view bytes) {
  ERR_clear_error();
  errno = 0;
  IoAttempt attempt = impl_->FromResult(SSL_write(
      impl_->ssl, bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), 1U << 30))));
  if (attempt.kind == IoAttempt::Kind::kFailed) impl_->failed = true;
  return attempt;
}

bool TlsSession::HasPending() const {
  return SSL_has_pending(impl_->ssl) == 1;
}

Result<TlsInspection> TlsSession::InspectPeer(const std::string& expected) const {
  const std::string& own = impl_->context->server_name;
  const std::string& name = own.empty() ? expected : own;
  X509* leaf = SSL_get0_peer_certificate(impl_->ssl);
  if (leaf == nullptr) return Error(ErrorKind::kInvalid, "TLS: the server has no certificate");
  TlsInspection inspection;
  inspection.leaf_not_before = TimeOf(X509_get0_notBefore(leaf));
  inspection.leaf_not_after = TimeOf(X509_get0_notAfter(leaf));
  inspection.earliest_not_after = inspection.leaf_not_after;
  const STACK_OF(X509)* chain = SSL_get_peer_cert_chain(impl_->ssl);
  for (int i = 0; chain != nullptr && i < sk_X509_num(chain); ++i) {
    const Timestamp end = TimeOf(X509_get0_notAfter(sk_X509_value(chain, i)));
    inspection.earliest_not_after = std::min(inspection.earliest_not_after, end);
  }
  const long verify = SSL_get_verify_result(impl_->ssl);
  if (verify != X509_V_OK) inspection.chain_problem = X509_verify_cert_error_string(verify);
  const bool fits = Address::FromLiteral(name, 0).size != 0
                        ? X509_check_ip_asc(leaf, name.c_str(), 0) == 1
                        : X509_check_host(leaf, name.data(), name.size(),
                                          X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, nullptr) == 1;
  if (!fits) inspection.name_problem = "the certificate is not for " + name;
  inspection.version = SSL_get_version(impl_->ssl);
  return inspection;
}

void TlsSession::SendClose() {
  if (impl_->failed || SSL_in_init(impl_->ssl) != 0) return;
  ERR_clear_error();
  SSL_shutdown(impl_->ssl);
  ERR_clear_error();
}

}  // namespace sonde::net
