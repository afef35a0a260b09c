# sonde_embed(TARGET t NAME packs ROOT dir [GZIP] FILES a b …): links the files into target t, which then can call
# sonde::PacksFiles() (declare it: std::span<const EmbeddedFile> PacksFiles();).
find_package(Python3 REQUIRED COMPONENTS Interpreter)
function(sonde_embed)
  cmake_parse_arguments(ARG "GZIP" "TARGET;NAME;ROOT" "FILES" ${ARGN})
  set(out ${CMAKE_CURRENT_BINARY_DIR}/embedded)
  list(TRANSFORM ARG_FILES PREPEND ${ARG_ROOT}/ OUTPUT_VARIABLE inputs)
  set(gzip "")
  if(ARG_GZIP)
    set(gzip --gzip)
  endif()
  add_custom_command(
    OUTPUT ${out}/${ARG_NAME}.S ${out}/${ARG_NAME}.cc
    COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/embed.py --name ${ARG_NAME} --root ${ARG_ROOT}
            --out-dir ${out} ${gzip} ${ARG_FILES}
    DEPENDS ${inputs} ${PROJECT_SOURCE_DIR}/tools/embed.py
    VERBATIM)
  # The assembler reads the files itself: a changed asset must assemble again.
  set_source_files_properties(${out}/${ARG_NAME}.S PROPERTIES OBJECT_DEPENDS "${inputs}")
  target_sources(${ARG_TARGET} PRIVATE ${out}/${ARG_NAME}.S ${out}/${ARG_NAME}.cc)
endfunction()
