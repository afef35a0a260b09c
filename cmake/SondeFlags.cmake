# The only place where compiler flags are set.
add_library(sonde_flags INTERFACE)
target_compile_options(
  sonde_flags
  INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor
            -Woverloaded-virtual -Wimplicit-fallthrough -Werror
            # PromQL results must not depend on the target's fused multiply-add.
            -ffp-contract=off -fno-omit-frame-pointer -ffunction-sections -fdata-sections)
target_compile_definitions(sonde_flags INTERFACE $<$<CONFIG:Debug>:SONDE_DCHECKS=1>)
target_link_options(sonde_flags INTERFACE -Wl,--gc-sections)

if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # libstdc++ 12's std::stable_sort uses a function that the library itself calls deprecated.
  target_compile_options(sonde_flags INTERFACE -Wthread-safety -Wno-deprecated-declarations)
else()
  # gcc 12 reports maybe-uninitialized and dangling storage inside std::variant and std::optional at
  # -O2 (GCC PR 105562, 105329); clang and the sanitizers check the same thing without the noise.
  target_compile_options(sonde_flags INTERFACE -Wno-maybe-uninitialized -Wno-restrict)
endif()
if(SONDE_SANITIZE)
  target_compile_options(sonde_flags INTERFACE -fsanitize=${SONDE_SANITIZE}
                                               -fno-sanitize-recover=all)
  target_link_options(sonde_flags INTERFACE -fsanitize=${SONDE_SANITIZE})
  if(SONDE_SANITIZE MATCHES "address,undefined" AND NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    # What ASan sees as well (null, object-size), or the fuzz build with clang does (alignment): a third of gcc's compile time.
    target_compile_options(sonde_flags INTERFACE -fno-sanitize=null,object-size,alignment)
  endif()
endif()
if(SONDE_FUZZERS)
  target_compile_options(sonde_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
find_program(SONDE_MOLD mold)
if(SONDE_MOLD)
  target_link_options(sonde_flags INTERFACE -fuse-ld=mold)
endif()
find_program(SONDE_CCACHE ccache)
if(SONDE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Paths relative to the build folder, so that what one clone has compiled serves every other.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}
                                  CCACHE_NOHASHDIR=1 ${SONDE_CCACHE})
endif()

add_library(sonde_allocator INTERFACE)
if(SONDE_JEMALLOC AND NOT SONDE_SANITIZE)
  target_link_libraries(sonde_allocator INTERFACE ${SONDE_JEMALLOC_LIBRARY})
endif()
