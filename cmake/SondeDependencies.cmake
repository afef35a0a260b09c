# Third-party libraries, all from the distribution's packages (docs/decisions/0006-dependencies.md).
# Each appears in the .cc files of one module only; the comment names it.
set(Boost_USE_STATIC_LIBS ON)
if(SONDE_STATIC)
  set(OPENSSL_USE_STATIC_LIBS ON)
  set(CMAKE_FIND_LIBRARY_SUFFIXES .a .so)
endif()
set(CMAKE_THREAD_PREFER_PTHREAD ON)
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS context json)  # net: asio, beast, context; base: json
find_package(OpenSSL REQUIRED)                             # net: TLS; base: digests
find_package(ZLIB REQUIRED)                                # base: gzip
find_package(yaml-cpp REQUIRED)                            # config

function(sonde_find_library name library header)
  find_library(SONDE_${name}_LIBRARY NAMES ${library} REQUIRED)
  find_path(SONDE_${name}_INCLUDE ${header} REQUIRED)
  add_library(sonde_dep_${name} INTERFACE)
  target_link_libraries(sonde_dep_${name} INTERFACE ${SONDE_${name}_LIBRARY})
  target_include_directories(sonde_dep_${name} SYSTEM INTERFACE ${SONDE_${name}_INCLUDE})
endfunction()
sonde_find_library(zstd zstd zstd.h)              # base
sonde_find_library(snappy snappy snappy.h)        # base
sonde_find_library(xxhash xxhash xxhash.h)        # base
sonde_find_library(re2 re2 re2/re2.h)             # base
if(SONDE_JEMALLOC)
  find_library(SONDE_JEMALLOC_LIBRARY NAMES jemalloc REQUIRED)
endif()
find_path(SONDE_PROTOZERO_INCLUDE protozero/pbf_reader.hpp REQUIRED)  # wire
add_library(sonde_dep_protozero INTERFACE)
target_include_directories(sonde_dep_protozero SYSTEM INTERFACE ${SONDE_PROTOZERO_INCLUDE})
# RE2 of Debian 13 needs Abseil, which its CMake package names; Debian 12's has none.
find_package(re2 CONFIG QUIET)
if(TARGET re2::re2)
  target_link_libraries(sonde_dep_re2 INTERFACE re2::re2)
endif()
# fmt as header-only library, in .cc files only: Debian has no static one.
find_path(SONDE_CLI11_INCLUDE CLI/CLI.hpp REQUIRED)  # app; header only
find_path(SONDE_FMT_INCLUDE fmt/format.h REQUIRED)
add_library(sonde_fmt INTERFACE)
target_include_directories(sonde_fmt SYSTEM INTERFACE ${SONDE_FMT_INCLUDE})
# Compiling fmt into every file that uses it costs seconds each, so it is linked; only what ships has it inside, because Debian
# has no static library of it.
find_library(SONDE_FMT_LIBRARY NAMES fmt REQUIRED)
if(SONDE_STATIC AND NOT SONDE_FMT_LIBRARY MATCHES "\\.a$")
  target_compile_definitions(sonde_fmt INTERFACE FMT_HEADER_ONLY=1)
else()
  target_link_libraries(sonde_fmt INTERFACE ${SONDE_FMT_LIBRARY})
endif()

if(SONDE_TESTS)
  find_package(GTest REQUIRED)
endif()
if(SONDE_BENCHES)
  find_package(benchmark REQUIRED)
endif()
