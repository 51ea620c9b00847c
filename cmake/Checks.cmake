# The house rules as part of the build: a program is not linked from a tree whose layers are broken.
if(NOT Python3_EXECUTABLE AND EXISTS /usr/bin/python3)
  set(Python3_EXECUTABLE /usr/bin/python3 CACHE FILEPATH "Debian's own: it sees Debian's packages")
endif()
find_package(Python3 3.11 REQUIRED COMPONENTS Interpreter)

file(GLOB_RECURSE checked CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/convoy/*.h ${PROJECT_SOURCE_DIR}/convoy/*.cc)
set(stamp ${PROJECT_BINARY_DIR}/check_layers.stamp)
add_custom_command(
  OUTPUT ${stamp}
  COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/check_layers --quiet
  COMMAND ${CMAKE_COMMAND} -E touch ${stamp}
  DEPENDS ${checked} ${PROJECT_SOURCE_DIR}/tools/check_layers ${PROJECT_SOURCE_DIR}/tools/layers.toml
  COMMENT "Checking the layers")
add_custom_target(convoy_check_layers DEPENDS ${stamp})

foreach(checker IN ITEMS check_layers check_sizes)
  add_test(NAME ${checker} COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/${checker})
endforeach()
add_test(NAME checkers_sabotage COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/test_checkers.py)
