define(['jquery'], function ($) {
  'use strict';

  var DESK = 'https://desk.widget-registry.test/';

  var CustomWidget = function () {
    var self = this;

    // The "custom" setting holds JSON: [{"from": "sales", "to": "desk-2"}, …].
    var routes = function () {
      try {
        return JSON.parse(self.get_settings().routes || '[]');
      } catch (e) {
        return [];
      }
    };

    // Where the user's own desk is, from the two settings that are given per user.
    var desk_url = function () {
      var settings = self.get_settings();
      var user = self.system().amouser_id;
      var desk = (settings.desks || {})[user];
      var agent = (settings.agents || {})[user];
      var url = DESK + encodeURIComponent(settings.account || '');

      if (desk) {
        url += '/' + encodeURIComponent(desk);
      }
      return agent ? url + '?' + $.param({ login: agent.login }) : url;
    };

    this.callbacks = {
      render: function () {
        if (self.system().area === 'lcard') {
          self.render_template({
            caption: { class_name: 'demo-gateway', html: '' },
            body: '',
            render: '<a class="demo-gateway__open" target="_blank" rel="noopener"></a>'
          });
        }
        return true;
      },
      init: function () {
        $('.demo-gateway__open').attr('href', desk_url()).text(self.i18n('card').open);
        return true;
      },
      bind_actions: function () {
        return true;
      },
      settings: function () {
        return true;
      },
      advancedSettings: function () {
        var $list = $('<ul>');
        var all = routes();

        $.each(all, function (_, route) {
          $('<li>').text(route.from + ' → ' + route.to).appendTo($list);
        });
        $('#work-area-' + self.get_settings().widget_code)
          .append($('<h2>').text(self.i18n('advanced').title))
          .append(all.length ? $list : $('<p>').text(self.i18n('advanced').empty));
        return true;
      },
      onSave: function () {
        return true;
      },
      destroy: function () {}
    };
    return this;
  };

  return CustomWidget;
});
