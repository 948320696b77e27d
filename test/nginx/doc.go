// Package nginx tries the configurations of docs/put-it-in-front.md with a
// real nginx, a real relay and a shop that can be stopped. The configurations
// are read out of the page, so that the page can't drift from what was tried.
package nginx
