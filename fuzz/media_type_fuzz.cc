#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "wire/exposition_format.h"
#include "wire/remote_write.h"

namespace wire = sonde::wire;

// Content-Type and Accept headers: any bytes, and whatever we serve must be what we can read.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const char* bytes = reinterpret_cast<const char*>(data);
  const std::vector<char> input(bytes, bytes + size);
  const std::string_view header(input.data(), input.size());
  const auto media = wire::ParseMediaType(header);
  if (media) CHECK(media->type.find('/') != std::string::npos);
  const auto format = wire::FormatOfContentType(header, std::nullopt);
  CHECK(media.ok() || !format.ok());
  CHECK(wire::FormatOfContentType(header, wire::ScrapeProtocol::kPrometheusText0_0_4).ok());
  static_cast<void>(wire::RemoteWriteVersionOf(header).ok());
  const wire::ServedFormat served = wire::NegotiateServedFormat(header);
  const auto read_back = wire::FormatOfContentType(served.ContentType(), std::nullopt);
  CHECK(read_back.ok() && read_back->format == wire::FormatOf(served.protocol));
  for (const wire::NameEscaping escaping :
       {wire::NameEscaping::kUnderscores, wire::NameEscaping::kDots, wire::NameEscaping::kValues}) {
    static_cast<void>(wire::EscapeName(header, escaping));
  }
  return 0;
}
