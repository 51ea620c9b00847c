# The rules that every target shares, and the two functions that declare a folder and its tests.

add_library(convoy_flags INTERFACE)
target_compile_features(convoy_flags INTERFACE cxx_std_20)
target_compile_options(convoy_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wno-missing-field-initializers
                                              -Werror -fno-omit-frame-pointer
                                              # False on std::string, GCC 12; the second under sanitizers.
                                              $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
                                              $<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:Debug>>:-Wno-maybe-uninitialized>)
target_include_directories(convoy_flags INTERFACE ${PROJECT_SOURCE_DIR})

# Everything `make test` needs beyond the program, and the proofs of `make verify-long`; `make` and `make demo`
# build neither and need no GoogleTest.
find_package(GTest QUIET)
if(GTest_FOUND)
  add_custom_target(convoy_tests)
  add_custom_target(convoy_long_tests)
else()
  foreach(target IN ITEMS convoy_tests convoy_long_tests)
    add_custom_target(${target} COMMAND ${CMAKE_COMMAND} -E echo "No GoogleTest: run tools/setup test, then cmake again"
                                COMMAND ${CMAKE_COMMAND} -E false)
  endforeach()
endif()

# Libraries of headers alone, used in sources alone: who uses the installed Convoy does not need them.
set(CONVOY_HEADER_ONLY nlohmann_json::nlohmann_json CLI11::CLI11)

# Half of what the compiler does for a file is to read these again. Where a compiler cache is at work, and under the
# sanitizers (CMakePresets.json), nothing is precompiled, so that every file proves that it includes what it uses.
set(CONVOY_PRECOMPILED <algorithm> <array> <chrono> <cmath> <cstdint> <cstring> <functional> <limits> <map> <memory>
                       <mutex> <numeric> <optional> <set> <span> <string> <string_view> <utility> <variant> <vector>)
if(CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_DISABLE_PRECOMPILE_HEADERS ON)
endif()
# GCC 12 forgets that a precompiled std::string is the system's, and finds its copies at fault.
if(NOT CMAKE_DISABLE_PRECOMPILE_HEADERS)
  target_compile_options(convoy_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds;-Wno-stringop-overflow>)
endif()

# convoy_folder(NAME [DEPS folder...] [LIBS target...] [EXCLUDE regex])
# One static library a folder: every *.cc below it, less the *_test.cc, which become the test program
# <name>_test. DEPS are folders of tools/layers.toml; LIBS are third-party targets, private to the folder;
# sources that match EXCLUDE are left out.
function(convoy_folder NAME)
  cmake_parse_arguments(ARG "" "EXCLUDE" "DEPS;LIBS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  if(ARG_EXCLUDE)
    list(FILTER sources EXCLUDE REGEX ${ARG_EXCLUDE})
  endif()
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$|/main\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  if(sources)
    add_library(convoy_${NAME} STATIC ${sources})
    set(scope PUBLIC)
    target_link_libraries(convoy_${NAME} PRIVATE $<BUILD_INTERFACE:convoy_flags>)
    if(NAME STREQUAL base)
      target_precompile_headers(convoy_base PRIVATE ${CONVOY_PRECOMPILED})
    else()
      target_precompile_headers(convoy_${NAME} REUSE_FROM convoy_base)
    endif()
    foreach(lib IN LISTS ARG_LIBS)
      if(lib IN_LIST CONVOY_HEADER_ONLY)
        set(lib $<BUILD_INTERFACE:${lib}>)
      endif()
      target_link_libraries(convoy_${NAME} PRIVATE ${lib})
    endforeach()
  else()
    add_library(convoy_${NAME} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(Convoy::${NAME} ALIAS convoy_${NAME})
  target_include_directories(convoy_${NAME} ${scope} $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
  foreach(dep IN LISTS ARG_DEPS)
    target_link_libraries(convoy_${NAME} ${scope} convoy_${dep})
  endforeach()
  set_property(GLOBAL APPEND PROPERTY CONVOY_FOLDERS ${NAME})
  if(tests)
    convoy_test(${NAME}_test SOURCES ${tests} DEPS ${NAME} LIBS ${ARG_LIBS})
  endif()
endfunction()

# convoy_test(NAME SOURCES file... DEPS folder... [LIBS target...] [LONG])
# LONG: only `make verify-long` builds and runs it.
function(convoy_test NAME)
  cmake_parse_arguments(ARG "LONG" "" "SOURCES;DEPS;LIBS" ${ARGN})
  if(NOT GTest_FOUND)
    return()
  endif()
  add_executable(${NAME} EXCLUDE_FROM_ALL ${ARG_SOURCES})
  list(TRANSFORM ARG_DEPS PREPEND convoy_)
  target_link_libraries(${NAME} PRIVATE convoy_flags ${ARG_DEPS} ${ARG_LIBS} GTest::gtest_main)
  add_test(NAME ${NAME} COMMAND ${NAME} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  # Plans that no measurement of this machine has changed, and no time spent on measuring, nor on threads that spin
  # while other tests need the processor.
  set_tests_properties(${NAME} PROPERTIES ENVIRONMENT "CONVOY_TUNE=off;GOMP_SPINCOUNT=1000")
  if(ARG_LONG)
    add_dependencies(convoy_long_tests ${NAME})
    set_tests_properties(${NAME} PROPERTIES LABELS long TIMEOUT 14400)
  else()
    add_dependencies(convoy_tests ${NAME})
    set_tests_properties(${NAME} PROPERTIES TIMEOUT 600)
  endif()
endfunction()
