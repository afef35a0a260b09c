# One static library per module of src/, its unit tests in <name>_test, its benchmarks in <name>_bench.
#   PUBLIC  modules that our headers include      PRIVATE  modules that only our sources include
#   SYSTEM  third-party targets, used in .cc files only
function(sonde_module)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;TESTS;BENCHES;PUBLIC;PRIVATE;SYSTEM" ${ARGN})
  set(target sonde_${ARG_NAME})
  add_library(${target} STATIC ${ARG_SOURCES})
  add_library(sonde::${ARG_NAME} ALIAS ${target})
  list(TRANSFORM ARG_PUBLIC PREPEND sonde::)
  list(TRANSFORM ARG_PRIVATE PREPEND sonde::)
  target_link_libraries(${target} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE} ${ARG_SYSTEM}
                                                              sonde_flags)
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  if(ARG_TESTS AND SONDE_TESTS)
    add_executable(${ARG_NAME}_test ${ARG_TESTS})
    target_link_libraries(${ARG_NAME}_test PRIVATE ${target} sonde_flags GTest::gmock
                                                   GTest::gtest_main)
    # Test code runs for milliseconds and takes twice as long to compile with optimisation under sanitizers.
    target_compile_options(${ARG_NAME}_test PRIVATE $<$<CONFIG:Debug>:-O0>)
    gtest_discover_tests(${ARG_NAME}_test WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
                         DISCOVERY_MODE PRE_TEST PROPERTIES LABELS unit TIMEOUT 120)
  endif()
  if(ARG_BENCHES AND SONDE_BENCHES)
    add_executable(${ARG_NAME}_bench ${ARG_BENCHES})
    target_link_libraries(${ARG_NAME}_bench PRIVATE ${target} sonde_flags sonde_allocator
                                                    benchmark::benchmark_main)
  endif()
endfunction()

# A libFuzzer target in fuzz/; in every other build the same file is linked with a driver that
# replays the corpus, so each build keeps the corpus green.
function(sonde_fuzz)
  cmake_parse_arguments(ARG "" "NAME" "MODULES;MAX_LEN" ${ARGN})
  foreach(module IN LISTS ARG_MODULES)
    if(NOT TARGET sonde::${module})
      return()  # Left out by SONDE_ONLY.
    endif()
  endforeach()
  list(TRANSFORM ARG_MODULES PREPEND sonde::)
  add_executable(fuzz_${ARG_NAME} ${ARG_NAME}_fuzz.cc)
  target_link_libraries(fuzz_${ARG_NAME} PRIVATE ${ARG_MODULES} sonde_flags)
  if(SONDE_FUZZERS)
    target_link_options(fuzz_${ARG_NAME} PRIVATE -fsanitize=fuzzer)
  else()
    target_sources(fuzz_${ARG_NAME} PRIVATE replay_main.cc)
    add_test(NAME fuzz_corpus.${ARG_NAME}
             COMMAND fuzz_${ARG_NAME} ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${ARG_NAME})
    set_tests_properties(fuzz_corpus.${ARG_NAME} PROPERTIES LABELS fuzz TIMEOUT 120)
  endif()
endfunction()
