#include "wire/exposition_format.h"

#include <gtest/gtest.h>

namespace sonde::wire {
namespace {

TEST(ExpositionFormatTest, AsksAsPrometheusDoes) {
  EXPECT_EQ(AcceptHeader(DefaultScrapeProtocols(), NameEscaping::kAllowUtf8),
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
            "application/openmetrics-text;version=0.0.1;q=0.5,"
            "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
            "text/plain;version=0.0.4;q=0.3,*/*;q=0.2");
  const ScrapeProtocol one[] = {ScrapeProtocol::kPrometheusText0_0_4};
  EXPECT_EQ(AcceptHeader(one, NameEscaping::kUnderscores),
            "text/plain;version=0.0.4;q=0.6,*/*;q=0.5");
}

TEST(ExpositionFormatTest, ProtocolNamesRoundTrip) {
  for (const ScrapeProtocol protocol : DefaultScrapeProtocols()) {
    EXPECT_EQ(ParseScrapeProtocol(ToString(protocol)), protocol);
  }
  EXPECT_EQ(ParseScrapeProtocol("PrometheusProto"), ScrapeProtocol::kPrometheusProto);
  EXPECT_FALSE(ParseScrapeProtocol("prometheusproto"));
  EXPECT_EQ(ParseNameEscaping("dots"), NameEscaping::kDots);
  EXPECT_FALSE(ParseNameEscaping("utf8"));
}

ExpositionFormat FormatFor(std::string_view header) {
  auto format = FormatOfContentType(header, std::nullopt);
  EXPECT_TRUE(format) << header;
  EXPECT_TRUE(format->warning.empty());
  return format->format;
}

TEST(ExpositionFormatTest, ReadsContentTypes) {
  EXPECT_EQ(FormatFor("text/plain"), ExpositionFormat::kText);
  EXPECT_EQ(FormatFor("Text/Plain; version=0.0.4; charset=utf-8"), ExpositionFormat::kText);
  EXPECT_EQ(FormatFor("text/plain;version=1.0.0;escaping=allow-utf-8;"), ExpositionFormat::kText);
  const auto announced =
      FormatOfContentType("text/plain;version=1.0.0;escaping=dots", std::nullopt);
  EXPECT_EQ(announced->version, "1.0.0");
  EXPECT_EQ(announced->escaping, NameEscaping::kDots);
  EXPECT_EQ(FormatFor("application/openmetrics-text; version=\"1.0.0\""),
            ExpositionFormat::kOpenMetrics);
  EXPECT_EQ(FormatFor("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily"),
            ExpositionFormat::kProtobuf);
}

TEST(ExpositionFormatTest, UselessContentTypesNeedAFallback) {
  for (const char* header :
       {"", "text/html", "text", "text/", "/plain", "text/plain; charset", "text/plain version",
        "text/plain; a=b; a=c", "text/plain; a=\"b", "text/plain\nx"}) {
    const auto refused = FormatOfContentType(header, std::nullopt);
    ASSERT_FALSE(refused) << header;
    EXPECT_NE(refused.error().message().find("fallback_scrape_protocol"), std::string::npos);
    const auto taken = FormatOfContentType(header, ScrapeProtocol::kOpenMetricsText0_0_1);
    ASSERT_TRUE(taken) << header;
    EXPECT_EQ(taken->format, ExpositionFormat::kOpenMetrics);
    EXPECT_FALSE(taken->warning.empty());
  }
}

TEST(ExpositionFormatTest, MediaTypesAreRead) {
  const auto media = ParseMediaType(" Application/X ; A=b;c=\"d\\\"e; f\" ");
  ASSERT_TRUE(media);
  EXPECT_EQ(media->type, "application/x");
  EXPECT_EQ(media->Get("a"), "b");
  EXPECT_EQ(media->Get("c"), "d\"e; f");
  EXPECT_EQ(media->Get("nothing"), "");
  EXPECT_EQ(ParseMediaType("text/plain; =x").error().message(),
            "\"text/plain; =x\" is not a media type: expected a parameter's name at byte 13");
}

TEST(ExpositionFormatTest, ServesWhatIsAskedFor) {
  const auto served = [](std::string_view accept) {
    return NegotiateServedFormat(accept).ContentType();
  };
  EXPECT_EQ(served(AcceptHeader(DefaultScrapeProtocols(), NameEscaping::kAllowUtf8)),
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8");
  EXPECT_EQ(served("application/openmetrics-text;q=0.2,text/plain;version=0.0.4;q=0.9"),
            "text/plain; version=0.0.4; charset=utf-8; escaping=underscores");
  EXPECT_EQ(served("application/openmetrics-text"),
            "application/openmetrics-text; version=0.0.1; charset=utf-8; escaping=underscores");
  EXPECT_EQ(served("text/plain;version=1.0.0;escaping=dots"),
            "text/plain; version=1.0.0; charset=utf-8; escaping=dots");
  EXPECT_EQ(served("text/*"), "text/plain; version=0.0.4; charset=utf-8; escaping=underscores");
  for (const char* plain : {"", "*/*", "text/html,application/xhtml+xml,*/*;q=0.8", "junk,,;",
                            "text/plain;q=0", "application/openmetrics-text;version=9"}) {
    EXPECT_EQ(served(plain), "text/plain; version=0.0.4; charset=utf-8; escaping=underscores")
        << plain;
  }
}

TEST(ExpositionFormatTest, EscapesNames) {
  EXPECT_EQ(EscapeName("a.b_c", NameEscaping::kAllowUtf8), "a.b_c");
  EXPECT_EQ(EscapeName("a.b_c", NameEscaping::kUnderscores), "a_b_c");
  EXPECT_EQ(EscapeName("a_b", NameEscaping::kUnderscores), "a_b");
  EXPECT_EQ(EscapeName("1\xE6\xB7\xB1x", NameEscaping::kUnderscores), "__x");
  EXPECT_EQ(EscapeName("a.b_c d", NameEscaping::kDots), "a_dot_b__c__d");
  EXPECT_EQ(EscapeName("a.b_c", NameEscaping::kValues), "U__a_2e_b__c");
}

}  // namespace
}  // namespace sonde::wire
