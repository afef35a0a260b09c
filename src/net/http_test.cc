#include "net/http.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/quick_acks.h"

namespace sonde::net {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Headers, NamesCompareWithoutCaseAndKeepTheirOrder) {
  Headers headers;
  headers.Add("Content-Type", "text/plain");
  headers.Add("Set-Cookie", "a=1");
  headers.Add("set-cookie", "b=2");
  EXPECT_EQ(headers.Get("content-type"), "text/plain");
  EXPECT_EQ(headers.Get("SET-COOKIE"), "a=1");
  EXPECT_EQ(headers.Count("Set-Cookie"), 2U);
  EXPECT_EQ(headers.Get("Missing"), "");
  EXPECT_FALSE(headers.Has("Missing"));

  headers.Set("SET-cookie", headers.Get("set-cookie"));  // A view into itself.
  std::vector<std::string> all;
  for (const auto& [name, value] : headers) {
    all.push_back(std::string(name) + "=" + std::string(value));
  }
  EXPECT_THAT(all, ElementsAre("Content-Type=text/plain", "SET-cookie=a=1"));
  headers.Remove("content-TYPE");
  EXPECT_EQ(headers.size(), 1U);
  headers.clear();
  EXPECT_EQ(headers.size(), 0U);
}

TEST(Headers, TokensOfListsAreFound) {
  Headers headers;
  headers.Add("Connection", "Keep-Alive, x");
  headers.Add("Connection", "Upgrade");
  headers.Add("Accept-Encoding", "gzip;q=0.5, br");
  EXPECT_TRUE(headers.HasToken("connection", "keep-alive"));
  EXPECT_TRUE(headers.HasToken("Connection", "upgrade"));
  EXPECT_TRUE(headers.HasToken("Connection", "x"));
  EXPECT_FALSE(headers.HasToken("Connection", "close"));
  EXPECT_FALSE(headers.HasToken("Connection", "keep"));
  EXPECT_TRUE(headers.HasToken("Accept-Encoding", "gzip"));
}

// "tls host port path user password", or "error: …".
std::string ShowUrl(std::string_view text) {
  const auto url = Url::Parse(text);
  if (!url) return "error: " + url.error().message();
  return std::string(url->tls ? "https" : "http") + " " + url->host + " " +
         std::to_string(url->port) + " " + url->path + " " + url->user + " " + url->password;
}

TEST(Url, IsTakenApart) {
  EXPECT_EQ(ShowUrl("http://localhost"), "http localhost 80 /  ");
  EXPECT_EQ(ShowUrl("https://example.org/a/b?c=d#frag"), "https example.org 443 /a/b?c=d  ");
  EXPECT_EQ(ShowUrl("HTTP://h:8080?q=1"), "http h 8080 /?q=1  ");
  EXPECT_EQ(ShowUrl("http://[::1]:9090/x"), "http ::1 9090 /x  ");
  EXPECT_EQ(ShowUrl("http://u%40x:p%3Aw@h/"), "http h 80 / u@x p:w");
  EXPECT_EQ(ShowUrl("http://user@h/"), "http h 80 / user ");
  EXPECT_EQ(ShowUrl("http://h:/"), "http h 80 /  ");
}

TEST(Url, NonsenseIsAnErrorThatSaysWhy) {
  EXPECT_THAT(ShowUrl("ftp://h/"), HasSubstr("does not start with http:// or https://"));
  EXPECT_THAT(ShowUrl("localhost:9090"), HasSubstr("does not start"));
  EXPECT_THAT(ShowUrl("http://"), HasSubstr("has no host"));
  EXPECT_THAT(ShowUrl("http:///path"), HasSubstr("has no host"));
  EXPECT_THAT(ShowUrl("http://h:99999/"), HasSubstr("port"));
  EXPECT_THAT(ShowUrl("http://h:0/"), HasSubstr("port"));
  EXPECT_THAT(ShowUrl("http://h:8x/"), HasSubstr("port"));
  EXPECT_THAT(ShowUrl("http://::1/"), HasSubstr("IPv6 address stands in brackets"));
  EXPECT_THAT(ShowUrl("http://[::1/"), HasSubstr("malformed host"));
  EXPECT_THAT(ShowUrl("http://h/a b"), HasSubstr("space"));
  EXPECT_THAT(ShowUrl("http://h/\r\nX: y"), HasSubstr("control character"));
  EXPECT_THAT(ShowUrl("http://a b/"), HasSubstr("host"));
  EXPECT_THAT(ShowUrl("http://u%4:p@h/"), HasSubstr("malformed escape"));
  EXPECT_THAT(ShowUrl("http://me:secret@h:bad/"), Not(HasSubstr("secret")));
}

TEST(Url, WritesItself) {
  for (const std::string text :
       {"http://h/", "https://h/a?b", "http://h:8080/", "http://[::1]:1/x"}) {
    EXPECT_EQ(Url::Parse(text)->ToString(), text);
  }
  EXPECT_EQ(Url::Parse("http://u:p@h:80/")->ToString(), "http://h/");
  EXPECT_EQ(Url::Parse("https://h:443")->authority(), "h");
  EXPECT_EQ(Url::Parse("https://h:80")->authority(), "h:80");
}

TEST(Percent, DecodesAndEncodes) {
  EXPECT_EQ(PercentDecode("a%20b%2fc+d", false), "a b/c+d");
  EXPECT_EQ(PercentDecode("a+b", true), "a b");
  EXPECT_EQ(PercentDecode("%", false), std::nullopt);
  EXPECT_EQ(PercentDecode("%4", false), std::nullopt);
  EXPECT_EQ(PercentDecode("%4g", false), std::nullopt);
  EXPECT_EQ(PercentEncode("a b/é~"), "a%20b%2F%C3%A9~");
}

TEST(Query, ParametersKeepOrderAndRepeat) {
  const auto query = Query::Parse("match[]=up&match%5B%5D=x+y&empty=&flag&&=v");
  ASSERT_TRUE(query);
  EXPECT_EQ(query->Get("match[]"), "up");
  EXPECT_THAT(query->GetAll("match[]"), ElementsAre("up", "x y"));
  EXPECT_TRUE(query->Has("empty"));
  EXPECT_TRUE(query->Has("flag"));
  EXPECT_EQ(query->Get("flag"), "");
  EXPECT_FALSE(query->Has("other"));
  EXPECT_EQ(query->Get(""), "v");
  EXPECT_EQ(Query::Parse("a=%zz").error().kind(), ErrorKind::kInvalid);

  auto both = *Query::Parse("a=1");
  both.Append(*Query::Parse("a=2&b=3"));
  EXPECT_THAT(both.GetAll("a"), ElementsAre("1", "2"));
}

std::string ShowListen(std::string_view text) {
  const auto address = ListenAddress::Parse(text);
  if (!address) return "error: " + address.error().message();
  return address->host + "|" + std::to_string(address->port);
}

TEST(ListenAddress, Forms) {
  EXPECT_EQ(ShowListen("127.0.0.1:9797"), "127.0.0.1|9797");
  EXPECT_EQ(ShowListen(":9797"), "|9797");
  EXPECT_EQ(ShowListen("[::1]:9797"), "::1|9797");
  EXPECT_EQ(ShowListen("localhost:0"), "localhost|0");
  EXPECT_THAT(ShowListen("9797"), HasSubstr("has no port"));
  EXPECT_THAT(ShowListen("::1:9797"), HasSubstr("brackets"));
  EXPECT_THAT(ShowListen("h:70000"), HasSubstr("port"));
  EXPECT_THAT(ShowListen("h:"), HasSubstr("port"));
}

TEST(BasicAuthorization, IsBase64) {
  EXPECT_EQ(BasicAuthorization("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  EXPECT_EQ(BasicAuthorization("a", "b"), "Basic YTpi");
  EXPECT_EQ(BasicAuthorization("", ""), "Basic Og==");
}

TEST(StatusText, KnowsTheUsual) {
  EXPECT_EQ(StatusText(200), "OK");
  EXPECT_EQ(StatusText(404), "Not Found");
  EXPECT_EQ(StatusText(299), "");
}

TEST(QuickAcks, NotForEachPieceOfASteadyStream) {
  constexpr std::int64_t kMillisecond = 1'000'000;
  const auto taken = [](std::int64_t gap, int pieces) {
    QuickAcks acks;
    std::int64_t now = 1'000'000 * kMillisecond;
    int count = 0;
    for (int i = 0; i < pieces; ++i) {
      acks.Received(now);
      count += acks.Take() ? 1 : 0;
      now += gap * kMillisecond;
    }
    return count;
  };
  EXPECT_EQ(taken(20, 1000), 8) << "50 tokens a second from a server that waits for nobody";
  EXPECT_EQ(taken(300, 1000), 1000) << "after each pause";
  EXPECT_EQ(taken(50, 1000), 4) << "20 tokens a second: it does not help";
  // A server that is held back whenever nothing is acknowledged at once: fewer and fewer times.
  QuickAcks acks;
  std::int64_t now = 1'000'000 * kMillisecond;
  int delayed = 0;
  for (int i = 0; i < 10'000; ++i) {
    acks.Received(now);
    const bool quick = acks.Take();
    delayed += quick ? 0 : 1;
    now += (quick ? 20 : 41) * kMillisecond;
  }
  EXPECT_LE(delayed, 6);
}

}  // namespace
}  // namespace sonde::net
