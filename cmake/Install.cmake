# What a C++ team gets: headers, static libraries, find_package(Convoy) and the program.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# The program's own folders are no API.
get_property(folders GLOBAL PROPERTY CONVOY_FOLDERS)
list(REMOVE_ITEM folders app report benchkit)

# In the tree the target `convoy` is the program, so the library's umbrella has another name until it is exported.
add_library(convoy_library INTERFACE)
add_library(Convoy::convoy ALIAS convoy_library)
set_target_properties(convoy_library PROPERTIES EXPORT_NAME convoy)
target_compile_features(convoy_library INTERFACE cxx_std_20)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Convoy)
foreach(folder IN LISTS folders)
  target_link_libraries(convoy_library INTERFACE convoy_${folder})
  set_target_properties(convoy_${folder} PROPERTIES EXPORT_NAME ${folder})
  install(TARGETS convoy_${folder} EXPORT ConvoyTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
          INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/convoy/${folder}/*.h)
  list(FILTER headers EXCLUDE REGEX "-inl\\.h$")
  foreach(header IN LISTS headers)
    cmake_path(GET header PARENT_PATH directory)
    install(FILES ${PROJECT_SOURCE_DIR}/${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/${directory})
  endforeach()
endforeach()
install(TARGETS convoy_library EXPORT ConvoyTargets)
install(TARGETS convoy RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

install(EXPORT ConvoyTargets NAMESPACE Convoy:: DESTINATION ${package_dir})
configure_package_config_file(cmake/ConvoyConfig.cmake.in ${PROJECT_BINARY_DIR}/ConvoyConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/ConvoyConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/ConvoyConfig.cmake ${PROJECT_BINARY_DIR}/ConvoyConfigVersion.cmake
              ${PROJECT_SOURCE_DIR}/cmake/FindDNNL.cmake
        DESTINATION ${package_dir})
