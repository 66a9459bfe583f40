# libferry as shared and static library, with what others need to find it: headers, pkg-config and CMake package files.
include(CMakePackageConfigHelpers)

add_library(ferry SHARED $<TARGET_OBJECTS:ferry_objects>)
target_link_libraries(ferry PRIVATE ferry_flags ferry_dependencies)
# A library that leaves a symbol to chance fails here, not in the user's program.
if(NOT FERRY_SANITIZE AND NOT FERRY_BUILD_FUZZERS)
  target_link_options(ferry PRIVATE -Wl,--no-undefined)
endif()
set_target_properties(ferry PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} EXPORT_NAME ferry)

add_library(ferry_static STATIC $<TARGET_OBJECTS:ferry_objects>)
target_compile_definitions(ferry_static INTERFACE FERRY_STATIC)
set_target_properties(ferry_static PROPERTIES OUTPUT_NAME ferry EXPORT_NAME ferry_static)

foreach(library ferry ferry_static)
  target_include_directories(${library} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                                  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  add_library(ferry::${library} ALIAS ${library})
endforeach()

# For tests and fuzz targets, which may look inside: the same archive, with the folders of the internal headers.
add_library(ferry_internals INTERFACE)
target_include_directories(ferry_internals INTERFACE ${PROJECT_SOURCE_DIR}/src ${FERRY_GENERATED_DIR})
target_link_libraries(ferry_internals INTERFACE ferry_static ferry_flags ferry_dependencies)
# The generated headers are there before anything that includes them is compiled.
add_dependencies(ferry_internals ferry_static)

install(TARGETS ferry ferry_static EXPORT ferryTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
file(GLOB FERRY_PUBLIC_HEADERS CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/ferry/*.h)
install(FILES ${FERRY_PUBLIC_HEADERS} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ferry)

# An absolute CMAKE_INSTALL_LIBDIR (some distributions' builds) must not be put behind the prefix once more.
foreach(dir LIBDIR INCLUDEDIR)
  if(IS_ABSOLUTE ${CMAKE_INSTALL_${dir}})
    set(FERRY_PC_${dir} ${CMAKE_INSTALL_${dir}})
  else()
    set(FERRY_PC_${dir} "\${prefix}/${CMAKE_INSTALL_${dir}}")
  endif()
endforeach()
# Relative to the file itself, so that an installed tree may be moved.
file(RELATIVE_PATH FERRY_PC_UP ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
# The static library's own needs.
set(FERRY_PC_REQUIRES_PRIVATE "libprotobuf-c libjpeg ${SPNG_MODULE_NAME} libxxhash jansson")
set(FERRY_PC_LIBS_PRIVATE "-lpthread -lm -ldl")
configure_file(${PROJECT_SOURCE_DIR}/cmake/ferry.pc.in ${PROJECT_BINARY_DIR}/ferry.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/ferry.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(FERRY_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/ferry)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/ferryConfig.cmake.in ${PROJECT_BINARY_DIR}/ferryConfig.cmake
                              INSTALL_DESTINATION ${FERRY_CMAKE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/ferryConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/ferryConfig.cmake ${PROJECT_BINARY_DIR}/ferryConfigVersion.cmake
        DESTINATION ${FERRY_CMAKE_DIR})
install(EXPORT ferryTargets NAMESPACE ferry:: DESTINATION ${FERRY_CMAKE_DIR})

if(FERRY_BUNDLE)
  ferry_install_bundle()
endif()
