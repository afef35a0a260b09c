#include "app/version.h"

namespace sonde::app {

// SONDE_VERSION and SONDE_REVISION come from app/CMakeLists.txt.
api::BuildStatus BuildInfo() {
  api::BuildStatus build;
  build.version = SONDE_VERSION;
  build.revision = SONDE_REVISION;
  build.branch = SONDE_BRANCH;
#if defined(__clang__)
  build.compiler = "clang " __clang_version__;
#else
  build.compiler = "gcc " __VERSION__;
#endif
  return build;
}

std::string VersionText() {
  const api::BuildStatus build = BuildInfo();
  return "sonde, version " + build.version + " (branch: " + build.branch +
         ", revision: " + build.revision + ")\n  compiler:         " + build.compiler +
         "\n  platform:         linux/" SONDE_PROCESSOR "\n";
}

}  // namespace sonde::app
