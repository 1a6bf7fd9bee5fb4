# Compiler flags common to every target: warnings, sanitizers, the fast linker, ccache, the precompiled header.
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # False alarms of g++ 12 inside its own library headers.
  add_compile_options(-Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread -Wno-array-bounds -Wno-maybe-uninitialized
                      -Wno-dangling-pointer -Wno-missing-field-initializers)
else()
  # Deprecated: what std::stable_sort of libstdc++ 12 uses inside.
  add_compile_options(-Wno-missing-field-initializers -Wno-missing-designated-field-initializers
                      -Wno-deprecated-declarations)
endif()
option(CROSSPOINT_WERROR "Warnings are errors" ON)
if(CROSSPOINT_WERROR)
  add_compile_options(-Werror)
endif()

if(CROSSPOINT_SANITIZE)
  add_compile_options(-fsanitize=${CROSSPOINT_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${CROSSPOINT_SANITIZE})
  if(CROSSPOINT_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-tsan)  # Asio's fences: ThreadSanitizer does not model them, one thread runs each io_context
  endif()
endif()

find_program(CROSSPOINT_MOLD mold)
if(CROSSPOINT_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

find_program(CROSSPOINT_CCACHE ccache)
if(CROSSPOINT_CCACHE)
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CROSSPOINT_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
endif()
