#include "net/http_parser.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace sonde::net {
namespace {

// A request as one line: "GET /p q=.. 1.1 none keep", or "400 reason".
std::string Show(std::string_view text) {
  HeadScanner scanner(/*lenient=*/false);
  switch (scanner.Scan(text)) {
    case HeadScanner::Status::kBad:
      return "400 line end";
    case HeadScanner::Status::kIncomplete:
      return "incomplete";
    case HeadScanner::Status::kComplete:
      break;
  }
  RequestHead head;
  if (const auto error = ParseRequestHead(text.substr(0, scanner.size()), head)) {
    return std::to_string(error->status) + " " + error->reason;
  }
  std::string out = head.method + " " + std::string(head.path);
  if (!head.query.empty()) out += "?" + std::string(head.query);
  out += " 1." + std::to_string(head.minor_version);
  if (head.body == BodyKind::kLength) out += " length=" + std::to_string(head.content_length);
  if (head.body == BodyKind::kChunked) out += " chunked";
  if (head.expects_continue) out += " continue";
  out += head.keep_alive ? " keep" : " close";
  return out;
}

constexpr const char* kHost = "Host: h\r\n";
std::string Get(const std::string& fields) {
  return "GET / HTTP/1.1\r\n" + std::string(kHost) + fields + "\r\n";
}

TEST(RequestHead, Accepted) {
  EXPECT_EQ(Show("GET /a?b=c HTTP/1.1\r\nHost: h\r\n\r\n"), "GET /a?b=c 1.1 keep");
  EXPECT_EQ(Show("GET / HTTP/1.0\r\n\r\n"), "GET / 1.0 close");
  EXPECT_EQ(Show("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), "GET / 1.0 keep");
  EXPECT_EQ(Show(Get("Connection: x, Close\r\n")), "GET / 1.1 close");
  EXPECT_EQ(Show(Get("Content-Length: 0\r\n")), "GET / 1.1 keep");
  EXPECT_EQ(Show("POST /w HTTP/1.1\r\nHost: h\r\nContent-Length:  12 \r\n\r\n"),
            "POST /w 1.1 length=12 keep");
  EXPECT_EQ(Show("POST /w HTTP/1.1\r\nhost:h\r\ntransfer-encoding: Chunked\r\nExpect: "
                 "100-Continue\r\n\r\n"),
            "POST /w 1.1 chunked continue keep");
  EXPECT_EQ(Show("GET http://h:1/x?y HTTP/1.1\r\nHost: h\r\n\r\n"), "GET /x?y 1.1 keep");
  EXPECT_EQ(Show("GET http://h HTTP/1.1\r\nHost: h\r\n\r\n"), "GET / 1.1 keep");
  EXPECT_EQ(Show("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), "OPTIONS * 1.1 keep");
  EXPECT_EQ(Show("M-SEARCH /\xC3\xA9 HTTP/1.1\r\nHost: h\r\n\r\n"), "M-SEARCH /\xC3\xA9 1.1 keep");
  EXPECT_EQ(Show("GET / HTTP/1.7\r\nHost: h\r\n\r\n"), "GET / 1.1 keep");
}

TEST(RequestHead, Refused) {
  EXPECT_EQ(Show("GET /\r\n\r\n"), "400 malformed request line");
  EXPECT_EQ(Show("GET  / HTTP/1.1\r\nHost: h\r\n\r\n"), "400 malformed request target");
  EXPECT_EQ(Show("GET / HTTP/1.1 \r\nHost: h\r\n\r\n"), "400 malformed HTTP version");
  EXPECT_EQ(Show("GET /a b HTTP/1.1\r\nHost: h\r\n\r\n"), "400 malformed HTTP version");
  EXPECT_EQ(Show("G@T / HTTP/1.1\r\nHost: h\r\n\r\n"), "400 malformed method");
  EXPECT_EQ(Show("GET x HTTP/1.1\r\nHost: h\r\n\r\n"), "400 malformed request target");
  EXPECT_EQ(Show("GET * HTTP/1.1\r\nHost: h\r\n\r\n"), "400 malformed request target");
  EXPECT_EQ(Show(std::string("GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n", 28)),
            "400 malformed request target");
  EXPECT_EQ(Show("CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n"), "501 CONNECT is not supported");
  EXPECT_EQ(Show("PRI * HTTP/2.0\r\n\r\n"), "505 only HTTP/1.x is spoken here");
  EXPECT_EQ(Show("GET / HTTP/3.1\r\nHost: h\r\n\r\n"), "505 only HTTP/1.x is spoken here");
  EXPECT_EQ(Show("GET / HTTP/1\r\nHost: h\r\n\r\n"), "400 malformed HTTP version");
  EXPECT_EQ(Show("GET / http/1.1\r\nHost: h\r\n\r\n"), "400 malformed HTTP version");
  EXPECT_EQ(Show("GET / HTTP/1.1\r\n\r\n"), "400 no Host header");
  EXPECT_EQ(Show(Get("host: other\r\n")), "400 more than one Host header");
  EXPECT_EQ(Show(Get("Expect: tea\r\n")), "417 unknown Expect");
  EXPECT_EQ(Show("\x16\x03\x01\x02\r\n\r\n"),
            "400 malformed request line");  // TLS on a plain port.
}

TEST(RequestHead, WhatSmugglersSendIsRefused) {
  EXPECT_EQ(Show(Get("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")),
            "400 both Content-Length and Transfer-Encoding");
  EXPECT_EQ(Show(Get("Content-Length: 5\r\nContent-Length: 5\r\n")),
            "400 more than one Content-Length");
  EXPECT_EQ(Show(Get("Content-Length: 5, 5\r\n")), "400 malformed Content-Length");
  EXPECT_EQ(Show(Get("Content-Length: +5\r\n")), "400 malformed Content-Length");
  EXPECT_EQ(Show(Get("Content-Length: 0x5\r\n")), "400 malformed Content-Length");
  EXPECT_EQ(Show(Get("Content-Length: -1\r\n")), "400 malformed Content-Length");
  EXPECT_EQ(Show(Get("Content-Length:\r\n")), "400 malformed Content-Length");
  EXPECT_EQ(Show(Get("Content-Length: 99999999999999999999\r\n")), "400 malformed Content-Length");
  EXPECT_EQ(Show(Get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")),
            "400 more than one Transfer-Encoding");
  EXPECT_EQ(Show(Get("Transfer-Encoding: gzip, chunked\r\n")), "501 unsupported Transfer-Encoding");
  EXPECT_EQ(Show(Get("Transfer-Encoding: xchunked\r\n")), "501 unsupported Transfer-Encoding");
  EXPECT_EQ(Show(Get("Transfer-Encoding: chunked, identity\r\n")),
            "501 unsupported Transfer-Encoding");
  EXPECT_EQ(Show("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
            "400 Transfer-Encoding in HTTP/1.0");
  EXPECT_EQ(Show(Get("Content-Length : 5\r\n")), "400 malformed header name");
  EXPECT_EQ(Show(Get("Content Length: 5\r\n")), "400 malformed header name");
  EXPECT_EQ(Show(Get(": 5\r\n")), "400 malformed header name");
  EXPECT_EQ(Show(Get("no colon\r\n")), "400 header line without a colon");
  EXPECT_EQ(Show(Get("X: a\r\n folded\r\n")), "400 folded header line");
  EXPECT_EQ(Show("GET / HTTP/1.1\r\n folded\r\n\r\n"), "400 folded header line");
  EXPECT_EQ(Show(Get("X: a\rTransfer-Encoding: chunked\r\n")),
            "400 control character in a header value");
  EXPECT_EQ(Show(Get(std::string("X: a\0b\r\n", 8))), "400 control character in a header value");
  EXPECT_EQ(Show("GET / HTTP/1.1\nHost: h\n\n"), "400 line end");
  EXPECT_EQ(Show("GET / HTTP/1.1\r\nHost: h\n\r\n"), "400 line end");
  EXPECT_EQ(Show("GET / HTTP/1.1\r\nHost: h\r\n\n"), "400 line end");
}

TEST(HeadScanner, SeesEachPrefixAsIncomplete) {
  const std::string text = Get("A: b\r\nC: d\r\n");
  HeadScanner scanner(false);
  for (std::size_t n = 0; n < text.size(); ++n) {
    EXPECT_EQ(scanner.Scan(std::string_view(text).substr(0, n)), HeadScanner::Status::kIncomplete)
        << n;
  }
  EXPECT_EQ(scanner.Scan(text + "next"), HeadScanner::Status::kComplete);
  EXPECT_EQ(scanner.size(), text.size());
}

std::string ShowResponse(std::string_view text, bool to_head = false) {
  HeadScanner scanner(/*lenient=*/true);
  if (scanner.Scan(text) != HeadScanner::Status::kComplete) return "incomplete";
  ResponseHead head;
  if (const auto error = ParseResponseHead(text.substr(0, scanner.size()), to_head, head)) {
    return std::string("error: ") + error->reason;
  }
  std::string out = std::to_string(head.status);
  switch (head.body) {
    case BodyKind::kNone:
      out += " none";
      break;
    case BodyKind::kLength:
      out += " length=" + std::to_string(head.content_length);
      break;
    case BodyKind::kChunked:
      out += " chunked";
      break;
    case BodyKind::kUntilClose:
      out += " until-close";
      break;
  }
  return out + (head.keep_alive ? " keep" : " close");
}

TEST(ResponseHead, Framing) {
  EXPECT_EQ(ShowResponse("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"), "200 length=3 keep");
  EXPECT_EQ(ShowResponse("HTTP/1.1 200 OK\r\n\r\n"), "200 until-close close");
  EXPECT_EQ(ShowResponse("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"), "200 none keep");
  EXPECT_EQ(ShowResponse("HTTP/1.1 204 No Content\r\n\r\n"), "204 none keep");
  EXPECT_EQ(ShowResponse("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"),
            "304 none keep");
  EXPECT_EQ(ShowResponse("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true), "200 none keep");
  EXPECT_EQ(ShowResponse("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            "200 chunked keep");
  EXPECT_EQ(
      ShowResponse("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"),
      "200 chunked close");
  EXPECT_EQ(
      ShowResponse("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 3\r\n\r\n"),
      "200 length=3 keep");
  EXPECT_EQ(ShowResponse("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n"), "200 length=3 close");
  EXPECT_EQ(ShowResponse("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n"),
            "200 length=3 keep");
  EXPECT_EQ(ShowResponse("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n"),
            "200 length=3 keep");
  // Old servers: bare line feeds, folded lines.
  EXPECT_EQ(ShowResponse("HTTP/1.1 200 OK\nX: a\n b\nContent-Length: 3\n\n"), "200 length=3 keep");
}

TEST(ResponseHead, Refused) {
  EXPECT_EQ(ShowResponse("220 smtp.example.org ESMTP\r\n\r\n"), "error: malformed status line");
  EXPECT_EQ(ShowResponse("SSH-2.0\r\n\r\n"), "error: malformed status line");
  EXPECT_EQ(ShowResponse("HTTP/2.0 200 OK\r\n\r\n"), "error: not an HTTP/1.x response");
  EXPECT_EQ(ShowResponse("HTTP/1.1 2x0 OK\r\n\r\n"), "error: malformed status code");
  EXPECT_EQ(ShowResponse("HTTP/1.1 2000 OK\r\n\r\n"), "error: malformed status code");
  EXPECT_EQ(ShowResponse("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"),
            "error: unsupported Transfer-Encoding");
  EXPECT_EQ(ShowResponse("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n"),
            "error: malformed Content-Length");
  EXPECT_EQ(ShowResponse("HTTP/1.1 200 OK\r\nContent-Length: 3x\r\n\r\n"),
            "error: malformed Content-Length");
}

// Feeds `bytes` cut at random places; "body|rest", or "error: …".
std::string Decode(BodyKind kind, std::uint64_t length, std::string_view bytes, Rng& rng,
                   std::size_t max_piece = 7) {
  BodyDecoder decoder;
  decoder.Start(kind, length);
  std::string body;
  std::string buffer;
  std::size_t fed = 0;
  while (true) {
    const BodyDecoder::Step step = decoder.Next(buffer);
    body += step.piece;
    buffer.erase(0, step.consumed);
    if (decoder.error()) return std::string("error: ") + decoder.error()->reason;
    if (decoder.done()) return body + "|" + buffer + std::string(bytes.substr(fed));
    if (!step.piece.empty()) continue;
    if (fed == bytes.size()) return decoder.AtClose() ? body + "|" : "cut";
    const std::size_t n = std::min<std::size_t>(1 + rng.Below(max_piece), bytes.size() - fed);
    buffer += bytes.substr(fed, n);
    fed += n;
  }
}

TEST(BodyDecoder, AllFramingsHoweverTheBytesArrive) {
  Rng rng(1);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(Decode(BodyKind::kNone, 0, "next", rng), "|next");
    EXPECT_EQ(Decode(BodyKind::kLength, 5, "hellonext", rng), "hello|next");
    EXPECT_EQ(Decode(BodyKind::kLength, 5, "hell", rng), "cut");
    EXPECT_EQ(Decode(BodyKind::kUntilClose, 0, "hello", rng), "hello|");
    EXPECT_EQ(
        Decode(BodyKind::kChunked, 0, "5\r\nhello\r\n6 ; x=y\r\n world\r\n0\r\n\r\nnext", rng),
        "hello world|next");
    EXPECT_EQ(
        Decode(BodyKind::kChunked, 0, "00A\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nnext", rng),
        "0123456789|next");
    EXPECT_EQ(Decode(BodyKind::kChunked, 0, "5\r\nhello\r\n0\r\n", rng), "cut");
  }
}

TEST(BodyDecoder, MalformedChunks) {
  Rng rng(2);
  const auto chunked = [&](std::string_view bytes) {
    return Decode(BodyKind::kChunked, 0, bytes, rng);
  };
  EXPECT_EQ(chunked("5\nhello\r\n0\r\n\r\n"), "error: chunk size line does not end with CRLF");
  EXPECT_EQ(chunked("5\r\nhellox\r\n0\r\n\r\n"), "error: chunk is longer than its size");
  EXPECT_EQ(chunked("5\r\nhello\n0\r\n\r\n"), "error: chunk is longer than its size");
  EXPECT_EQ(chunked("\r\nhello"), "error: malformed chunk size");
  EXPECT_EQ(chunked("-5\r\nhello"), "error: malformed chunk size");
  EXPECT_EQ(chunked("0x5\r\nhello"), "error: malformed chunk size");
  EXPECT_EQ(chunked("5 5\r\nhello"), "error: malformed chunk size");
  EXPECT_EQ(chunked("5;\x01\r\nhello"), "error: malformed chunk size");
  EXPECT_EQ(chunked("1000000000000000\r\n"), "error: chunk size is too large");
  EXPECT_EQ(chunked("0\r\nX: y\n\r\n"), "error: trailer line does not end with CRLF");
  EXPECT_EQ(chunked("5;" + std::string(5000, 'x') + "\r\nhello"),
            "error: chunk size line is too long");
  std::string long_trailers = "0\r\n";
  for (int i = 0; i < 3000; ++i)
    long_trailers += "Name: v\r\n";
  EXPECT_EQ(chunked(long_trailers + "\r\n"), "error: trailers are too long");
}

}  // namespace
}  // namespace sonde::net
