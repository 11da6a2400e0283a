"""What the HTML page is drawn with: inline SVG written by hand, so that the page needs nothing but itself."""
