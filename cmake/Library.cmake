# libferry as shared and static library, with what others need to find it: headers, pkg-config and CMake package files.
add_library(ferry SHARED)
target_link_libraries(ferry PRIVATE ferry_objects)
set_target_properties(ferry PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
target_include_directories(ferry INTERFACE $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>
                                           $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_sources(ferry PRIVATE $<TARGET_OBJECTS:ferry_objects>)
