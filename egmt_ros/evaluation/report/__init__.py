"""Reports of a replay: summary, contact sheet, HTML page. Works without ROS."""
