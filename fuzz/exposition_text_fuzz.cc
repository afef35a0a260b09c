#include "exposition_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sonde::fuzz::CheckExposition(sonde::fuzz::HeapCopy(data, size),
                               sonde::wire::ExpositionFormat::kText);
  return 0;
}
